import { describe, expect, it } from "vitest";
import { isWerfError } from "../core/errors.js";
import { digestOf } from "./digest.js";
import { manifestFromJson, maxManifestBytes, parseManifest, rawManifest } from "./manifest.js";
import { mediaTypes } from "./media-types.js";

const descriptor = { mediaType: mediaTypes.ociConfig, digest: digestOf("x"), size: 1 };

function codeOf(bytes: Uint8Array | string, mediaType: string = mediaTypes.ociManifest): string {
  try {
    parseManifest(rawManifest(Buffer.from(bytes), mediaType), "a test");
    return "none";
  } catch (error) {
    return isWerfError(error) ? error.code : String(error);
  }
}

describe("parseManifest", () => {
  it("reads images, with everything that may be there", () => {
    const raw = manifestFromJson(
      {
        schemaVersion: 2,
        config: descriptor,
        layers: [descriptor],
        subject: descriptor,
        artifactType: "a/b",
        annotations: { k: "v" },
      },
      mediaTypes.ociManifest,
    );
    expect(parseManifest(raw, "a test")).toMatchObject({
      kind: "image",
      config: descriptor,
      subject: descriptor,
      artifactType: "a/b",
      annotations: { k: "v" },
    });
  });

  it("reads indexes and leaves unknown types alone", () => {
    expect(
      parseManifest(manifestFromJson({ manifests: [descriptor] }, mediaTypes.dockerIndex), "a test"),
    ).toMatchObject({ kind: "index", manifests: [descriptor] });
    expect(parseManifest(manifestFromJson({ x: 1 }, "application/vnd.example+json"), "a test")).toEqual({
      kind: "unknown",
      mediaType: "application/vnd.example+json",
    });
  });

  it.each([
    ["text", "<html>not found</html>", "oci/manifest-invalid"],
    ["a list", "[]", "oci/manifest-invalid"],
    ["bytes that are no text", Buffer.from([0xff, 0xfe]), "oci/manifest-invalid"],
    ["10,000 levels", `{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`, "oci/manifest-invalid"],
    ["no config", '{"layers":[]}', "oci/manifest-invalid"],
    ["layers of the wrong type", JSON.stringify({ config: descriptor, layers: {} }), "oci/manifest-invalid"],
    [
      "a negative size",
      JSON.stringify({ config: { ...descriptor, size: -1 }, layers: [] }),
      "oci/manifest-invalid",
    ],
    [
      "a path as digest",
      JSON.stringify({ config: { ...descriptor, digest: "sha256:../../etc/passwd" }, layers: [] }),
      "oci/manifest-invalid",
    ],
    [
      "annotations of the wrong type",
      JSON.stringify({ config: descriptor, layers: [], annotations: { a: 1 } }),
      "oci/manifest-invalid",
    ],
    [
      "another media type inside",
      JSON.stringify({ mediaType: mediaTypes.ociIndex, config: descriptor, layers: [] }),
      "oci/manifest-invalid",
    ],
    ["schema 1", '{"schemaVersion":1,"fsLayers":[]}', "oci/manifest-schema1"],
    ["5 MiB", Buffer.alloc(maxManifestBytes + 1, 0x20), "oci/manifest-too-large"],
  ])("refuses %s", (_what, bytes, code) => {
    expect(codeOf(bytes)).toBe(code);
  });
});
