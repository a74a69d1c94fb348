import { expect, test } from "vitest";
import { sendError } from "../../../test/support/http-server.js";
import { useRegistryClient } from "../../../test/support/registry-client.js";
import { digestOf } from "../../oci/digest.js";
import { manifestFromJson } from "../../oci/manifest.js";
import { acceptedManifests, mediaTypes } from "../../oci/media-types.js";

const { serve } = useRegistryClient("push");

const config = { mediaType: mediaTypes.ociEmpty, digest: digestOf("{}"), size: 2 };
const image = manifestFromJson(
  { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] },
  mediaTypes.ociManifest,
);
const told = { "content-type": image.mediaType, "docker-content-digest": image.digest };

test("HEAD tells all; every type is accepted", async () => {
  let accept: string | undefined;
  const { store, asked } = await serve((request, response) => {
    accept = request.headers.accept;
    response.writeHead(200, { ...told, "content-length": image.bytes.length }).end();
  });
  expect(await store.statManifest("v1")).toEqual({
    kind: "present",
    descriptor: { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length },
  });
  expect(accept).toBe(acceptedManifests.join(", "));
  expect(asked()).toEqual(["HEAD /v2/app/manifests/v1"]);
});

test.each([
  ["no digest", 200, { "content-type": image.mediaType, "content-length": "7" }],
  ["a vague type", 200, { ...told, "content-type": "application/json", "content-length": "7" }],
  ["a status that HEAD can't explain", 405, {}],
])("a HEAD with %s is followed by a GET", async (_what, status, headers) => {
  const { store, asked } = await serve((request, response) => {
    if (request.method === "HEAD") return void response.writeHead(status, headers).end();
    response.writeHead(200, told).end(image.bytes);
  });
  expect(await store.statManifest("v1")).toMatchObject({
    kind: "present",
    descriptor: { digest: image.digest },
  });
  expect(asked()).toHaveLength(2);
});

test("a manifest is read as its bytes; its type is found in it when the server doesn't know it", async () => {
  const bare = manifestFromJson({ schemaVersion: 2, manifests: [] }, mediaTypes.ociIndex);
  const { store } = await serve((request, response) => {
    if (request.url?.endsWith("/bare"))
      response.writeHead(200, { "content-type": "text/plain" }).end(bare.bytes);
    else
      response
        .writeHead(200, { ...told, "content-type": `${image.mediaType}; charset=utf-8` })
        .end(image.bytes);
  });
  const read = await store.readManifest("v1");
  expect(read).toMatchObject({
    kind: "present",
    manifest: { digest: image.digest, mediaType: image.mediaType },
  });
  expect(await store.readManifest("bare")).toMatchObject({
    manifest: { digest: bare.digest, mediaType: bare.mediaType },
  });
});

const big = Buffer.alloc(4 * 1024 * 1024 + 1, 0x20);
const schema1 = JSON.stringify({ schemaVersion: 1, name: "x", fsLayers: [] });
test.each<[string, string, Record<string, string>, string | Uint8Array]>([
  ["oci/digest-mismatch", "v1", { ...told, "docker-content-digest": digestOf("other") }, image.bytes],
  ["oci/digest-mismatch", digestOf("other"), { "content-type": image.mediaType }, image.bytes],
  ["oci/digest-mismatch", image.digest, { ...told, "docker-content-digest": digestOf("x") }, image.bytes],
  ["oci/manifest-too-large", "v1", { "content-type": image.mediaType }, big],
  ["oci/manifest-schema1", "v1", { "content-type": mediaTypes.dockerSchema1Signed }, schema1],
  ["oci/manifest-schema1", "v1", { "content-type": "application/json" }, schema1],
  ["oci/manifest-invalid", "v1", { "content-type": image.mediaType }, '{"config":{}}'],
  ["registry/not-a-registry", "v1", { "content-type": "text/html; charset=utf-8" }, "<html>Log in</html>"],
])("%s for %s with %o", async (code, reference, headers, body) => {
  const { store } = await serve((_, response) => void response.writeHead(200, headers).end(body));
  await expect(store.readManifest(reference)).rejects.toMatchObject({ code });
});

test("a manifest cut off in the middle is read again", async () => {
  let asked = 0;
  const { store } = await serve((request, response) => {
    response.writeHead(200, { ...told, "content-length": image.bytes.length });
    if (++asked > 1) return void response.end(image.bytes);
    response.write(image.bytes.subarray(0, 20), () => setImmediate(() => request.socket.destroy()));
  });
  expect(await store.readManifest("v1")).toMatchObject({ manifest: { digest: image.digest } });
});

test("missing is 404, also with zot's 400 for a repository; a page instead is an error", async () => {
  const { store } = await serve((request, response) => {
    if (request.url?.endsWith("/zot")) return sendError(response, 400, "NAME_UNKNOWN");
    if (request.url?.endsWith("/page")) {
      return void response
        .writeHead(404, { "content-type": "text/html" })
        .end("<html><title>Not here</title></html>");
    }
    sendError(response, 404, "MANIFEST_UNKNOWN");
  });
  expect(await store.readManifest("gone")).toEqual({ kind: "missing" });
  expect(await store.statManifest("gone")).toEqual({ kind: "missing" });
  expect(await store.statManifest("zot")).toEqual({ kind: "missing" });
  for (const ask of [store.readManifest("page"), store.statManifest("page")]) {
    await expect(ask).rejects.toMatchObject({ code: "registry/not-a-registry" });
  }
});

test("errors name what was done, where, and what was answered", async () => {
  const { store } = await serve((request, response) => {
    if (request.method === "PUT") return sendError(response, 403, "DENIED", "quota\nexceeded");
    sendError(response, 403, "DENIED", "requested access is denied");
  });
  await expect(store.writeManifest(image, "v1")).rejects.toThrow(
    `can't write the manifest ${store.address}:v1: ${store.place} answered 403 DENIED: quota exceeded`,
  );
  await expect(store.statManifest("v1")).rejects.toMatchObject({
    code: "registry/denied",
    message: expect.stringContaining("requested access is denied"),
  });
});

test("a manifest is put under its tag; what the registry misses is asked for anew", async () => {
  let missing = true;
  const { store, asked } = await serve((request, response) => {
    if (request.method === "HEAD")
      return void response.writeHead(200, { "content-length": config.size }).end();
    if (missing) return sendError(response, 404, "MANIFEST_BLOB_UNKNOWN");
    response.writeHead(201, { "docker-content-digest": image.digest }).end();
  });
  await store.statBlob(config.digest);
  await expect(store.writeManifest(image, "v1")).rejects.toMatchObject({ code: "registry/content-missing" });
  missing = false;
  await store.statBlob(config.digest);
  await store.writeManifest(image, "v1");
  await store.writeManifest(image);
  const head = `HEAD /v2/app/blobs/${config.digest}`;
  const put = "PUT /v2/app/manifests/v1";
  expect(asked()).toEqual([head, put, head, put, `PUT /v2/app/manifests/${image.digest}`]);
});

test("a registry that changes manifests is caught", async () => {
  const { store } = await serve((_, response) => {
    response.writeHead(201, { "docker-content-digest": digestOf("converted") }).end();
  });
  await expect(store.writeManifest(image, "v1")).rejects.toMatchObject({ code: "oci/digest-mismatch" });
});
