import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Digest, digestOf, hexOf } from "../../src/oci/digest.js";
import { descriptorOf, type RawManifest, rawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import { blobOf, jsonManifest, randomBlob } from "../contract/content.js";
import { requirePeer } from "../support/registries.js";
import { useRegistry } from "./client.js";

const run = promisify(execFile);
const skopeo = requirePeer("skopeo");

/** A client that others wrote, with its own idea of the protocol. */
describe.skipIf(skopeo === undefined)("skopeo (skipped where it isn't installed)", () => {
  const client = useRegistry();
  let directory: string;
  let image: RawManifest;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "werf-ts-skopeo-"));
    image = await writeLayout(join(directory, "layout"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const call = async (...args: string[]): Promise<string> => {
    const policy = join(directory, "policy.json");
    await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
    const env = {
      ...process.env,
      HOME: directory,
      XDG_RUNTIME_DIR: directory,
      REGISTRY_AUTH_FILE: join(directory, "none"),
    };
    const { stdout } = await run(skopeo ?? "", ["--policy", policy, ...args], { env });
    return stdout;
  };
  const at = (reference: string): string => `docker://${client.registry.host}/${reference}`;
  const push = (reference: string): Promise<string> =>
    call("copy", "--all", "--dest-tls-verify=false", `oci:${join(directory, "layout")}:v1`, at(reference));

  test("copies an image in and out again, and the bytes are the same", async () => {
    await push("sk/copy:v1");
    const served = await client.send("GET", "/v2/sk/copy/manifests/v1");
    expect(served.bytes.equals(image.bytes)).toBe(true);
    const out = join(directory, "out");
    await call("copy", "--src-tls-verify=false", at("sk/copy:v1"), `dir:${out}`);
    expect((await readFile(join(out, "manifest.json"))).equals(image.bytes)).toBe(true);
    for (const name of await readdir(out)) {
      if (/^[0-9a-f]{64}$/.test(name)) expect(hexOf(digestOf(await readFile(join(out, name))))).toBe(name);
    }
  });

  test("copies from repository to repository, where blobs are mounted", async () => {
    await push("sk/from:v1");
    await call("copy", "--src-tls-verify=false", "--dest-tls-verify=false", at("sk/from:v1"), at("sk/to:v1"));
    const served = await client.send("GET", "/v2/sk/to/manifests/v1");
    expect(served.headers.get("docker-content-digest")).toBe(image.digest);
  });

  test("copies an index with its children", async () => {
    await push("sk/index:v1");
    const index = jsonManifest(mediaTypes.ociIndex, {
      schemaVersion: 2,
      manifests: [{ ...descriptorOf(image), platform: { os: "linux", architecture: "amd64" } }],
    });
    await client.registry.server.root.repository("sk/index").writeManifest(index, "multi");
    const tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    await call("copy", "--all", ...tls, at("sk/index:multi"), at("sk/index-copy:multi"));
    const served = await client.send("GET", "/v2/sk/index-copy/manifests/multi");
    expect(served.headers.get("docker-content-digest")).toBe(index.digest);
  });

  test("inspects and lists tags", async () => {
    await push("sk/inspect:v1");
    await push("sk/inspect:v2");
    const inspected = JSON.parse(await call("inspect", "--tls-verify=false", at("sk/inspect:v1")));
    expect(inspected).toMatchObject({ Digest: image.digest, RepoTags: ["v1", "v2"], Os: "linux" });
    const raw = await call("inspect", "--raw", "--tls-verify=false", at("sk/inspect:v1"));
    expect(digestOf(raw)).toBe(image.digest);
    const listed = JSON.parse(await call("list-tags", "--tls-verify=false", at("sk/inspect")));
    expect(listed.Tags).toEqual(["v1", "v2"]);
  });

  test("deletes, by digest as it does", async () => {
    await push("sk/delete:v1");
    await push("sk/delete:v2");
    await call("delete", "--tls-verify=false", at("sk/delete:v1"));
    expect((await client.send("GET", `/v2/sk/delete/manifests/${image.digest}`)).status).toBe(404);
    expect((await client.send("GET", "/v2/sk/delete/tags/list")).json()).toMatchObject({ tags: [] });
    await expect(call("inspect", "--tls-verify=false", at("sk/delete:v1"))).rejects.toThrow(
      /manifest unknown/,
    );
  });

  test("synchronises a repository with all its tags", async () => {
    for (const tag of ["v1", "v2", "v3"]) await push(`sk/sync:${tag}`);
    const { host } = client.registry;
    const tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    await call("sync", ...tls, "--src", "docker", "--dest", "docker", `${host}/sk/sync`, `${host}/sk/synced`);
    expect((await client.send("GET", "/v2/sk/synced/sync/tags/list")).json()).toMatchObject({
      tags: ["v1", "v2", "v3"],
    });
  });
});

/** An OCI layout with one image under the name v1: image-spec, image-layout.md. */
async function writeLayout(directory: string): Promise<RawManifest> {
  const blobs = join(directory, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Uint8Array): Promise<{ digest: Digest; size: number }> => {
    const { digest, size } = blobOf(bytes);
    await writeFile(join(blobs, hexOf(digest)), bytes);
    return { digest, size };
  };
  // Compressed, because skopeo would do so otherwise, and change the manifest.
  const content = randomBlob(3 * 1024 * 1024);
  const layer = await put(gzipSync(content.bytes));
  const config = {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [content.digest] },
    config: { Labels: { a: "b" } },
  };
  const manifest = rawManifest(
    Buffer.from(
      JSON.stringify(
        {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: { mediaType: mediaTypes.ociConfig, ...(await put(Buffer.from(JSON.stringify(config)))) },
          layers: [{ mediaType: mediaTypes.ociLayerGzip, ...layer }],
        },
        undefined,
        3,
      ),
    ),
    mediaTypes.ociManifest,
  );
  await put(manifest.bytes);
  const entry = { ...descriptorOf(manifest), annotations: { "org.opencontainers.image.ref.name": "v1" } };
  await writeFile(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return manifest;
}
