import { expect, test } from "vitest";
import { sendError, sendJson, type TestServer } from "../../../test/support/http-server.js";
import { useRegistryClient } from "../../../test/support/registry-client.js";
import type { Descriptor } from "../../oci/descriptor.js";
import { type Digest, digestOf } from "../../oci/digest.js";
import { manifestFromJson, type RawManifest } from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";
import type { Registry } from "./registry.js";

const client = useRegistryClient("push");

const config = { mediaType: mediaTypes.ociEmpty, digest: digestOf("{}"), size: 2 };
const subject: Descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf("the subject"), size: 11 };
const tag = subject.digest.replace(":", "-");

function referrer(name: string): RawManifest {
  const annotations = { name };
  const value = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: "a/b",
    config,
    layers: [],
    subject,
    annotations,
  };
  return manifestFromJson(value, mediaTypes.ociManifest);
}

interface TagWorld {
  readonly store: Registry;
  readonly tags: Map<string, { type: string; body: string }>;
  readonly server: TestServer;
}

/** A registry without the API, that keeps manifests by reference; `afterPut` plays another writer. */
async function withoutApi(
  answerApi: (response: import("node:http").ServerResponse) => void,
  afterPut: (tags: TagWorld["tags"]) => void = () => undefined,
): Promise<TagWorld> {
  const tags: TagWorld["tags"] = new Map();
  const { server, store } = await client.serve(async (request, response) => {
    const reference = request.url?.split("/").at(-1) ?? "";
    if (request.url?.includes("/referrers/")) return answerApi(response);
    if (request.method === "PUT") {
      const body = Buffer.concat(await request.toArray()).toString();
      tags.set(reference, { type: request.headers["content-type"] ?? "", body });
      if (reference === tag) afterPut(tags);
      return void response.writeHead(201).end();
    }
    const found = tags.get(reference);
    if (found === undefined) return sendError(response, 404, "MANIFEST_UNKNOWN");
    response.writeHead(200, { "content-type": found.type }).end(found.body);
  });
  return { store, tags, server };
}

async function list(store: Registry, of: Digest = subject.digest): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for await (const descriptor of store.listReferrers(of)) found.push(descriptor);
  return found;
}

test("the API is followed through its pages, and the subject itself left out", async () => {
  const [a, b] = [referrer("a"), referrer("b")].map(({ digest, mediaType, bytes }) => ({
    digest,
    mediaType,
    size: bytes.length,
  }));
  const { store } = await client.serve((request, response) => {
    const index = (manifests: unknown[]): object => ({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests,
    });
    if (request.url?.endsWith("?p=2")) return sendJson(response, index([a, b]));
    sendJson(response, index([a, subject]), { link: '<?p=2>; rel="next"' });
  });
  expect((await list(store)).map((d) => d.digest)).toEqual([a?.digest, b?.digest]);
});

test.each<[string, (response: import("node:http").ServerResponse) => void]>([
  ["404 in plain text", (r) => void r.writeHead(404).end("404 page not found")],
  ["405", (r) => void r.writeHead(405).end()],
  ["501", (r) => sendError(r, 501, "UNSUPPORTED")],
  ["303", (r) => void r.writeHead(303, { location: "https://example.org/" }).end()],
  ["a page", (r) => void r.writeHead(200, { "content-type": "text/html" }).end("<html>")],
])("%s instead of the API means the tag schema, asked once", async (_what, answer) => {
  const { store, server } = await withoutApi(answer);
  const [a, b] = [referrer("a"), referrer("b")];
  await store.writeManifest(a);
  await store.writeManifest(b);
  expect(await list(store)).toMatchObject([
    { digest: a.digest, artifactType: "a/b", annotations: { name: "a" }, size: a.bytes.length },
    { digest: b.digest },
  ]);
  expect(await list(store, digestOf("nobody"))).toEqual([]);
  expect(server.requests.filter((r) => r.includes("/referrers/"))).toHaveLength(1);
});

test("what another writer wrote over is written again", async () => {
  const other = { mediaType: mediaTypes.ociManifest, digest: digestOf("theirs"), size: 6 };
  let raced = false;
  const { store } = await withoutApi(
    (r) => void r.writeHead(404).end(),
    (tags) => {
      if (raced) return;
      raced = true;
      const body = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [other] });
      tags.set(tag, { type: mediaTypes.ociIndex, body });
    },
  );
  const ours = referrer("ours");
  await store.writeManifest(ours);
  expect((await list(store)).map((d) => d.digest)).toEqual([other.digest, ours.digest]);
});

test("a tag that is an image is neither believed nor overwritten", async () => {
  const { store, tags } = await withoutApi((r) => void r.writeHead(404).end());
  const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] };
  const kept = { type: mediaTypes.ociManifest, body: JSON.stringify(image) };
  tags.set(tag, kept);
  await store.writeManifest(referrer("a"));
  expect(tags.get(tag)).toEqual(kept);
  expect(await list(store)).toEqual([]);
  expect(client.run.events).toMatchObject([{ code: "warning", id: "registry/referrers-tag" }]);
});

test("an error of the API is an error, not an empty list", async () => {
  const { store } = await withoutApi((r) => sendError(r, 403, "DENIED"));
  await expect(list(store)).rejects.toMatchObject({ code: "registry/denied" });
});
