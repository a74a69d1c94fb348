import { expect, test } from "vitest";
import { type Handler, sendError } from "../../../test/support/http-server.js";
import { useRegistryClient } from "../../../test/support/registry-client.js";
import { digestOf } from "../../oci/digest.js";
import { openRegistry, type Registry } from "./registry.js";

const client = useRegistryClient("delete");

/** With a referrers API, so that a deletion is one request. */
async function serve(handler: Handler): Promise<{ store: Registry; asked(): string[] }> {
  const { store, server } = await client.serve((request, response) => {
    if (request.url?.includes("/referrers/")) return void response.end('{"schemaVersion":2,"manifests":[]}');
    return handler(request, response);
  });
  return { store, asked: () => server.requests.filter((r) => r.startsWith("DELETE")) };
}

const digest = digestOf("a manifest");

test.each([200, 202, 204])("%i is deleted", async (status) => {
  const { store, asked } = await serve((_, response) => void response.writeHead(status).end());
  expect(await store.deleteManifest(digest)).toEqual({ kind: "deleted" });
  expect(await store.deleteTag("v1")).toEqual({ kind: "deleted" });
  expect(asked()).toEqual([`DELETE /v2/app/manifests/${digest}`, "DELETE /v2/app/manifests/v1"]);
});

test.each([
  [404, "MANIFEST_UNKNOWN"],
  [404, ""],
  [400, "NAME_UNKNOWN"],
])("%i %s is absent", async (status, code) => {
  const { store } = await serve((_, response) => sendError(response, status, code));
  expect(await store.deleteManifest(digest)).toEqual({ kind: "absent" });
});

test.each([
  [405, "UNSUPPORTED", "The operation is unsupported.", "unsupported"],
  [400, "UNSUPPORTED", "", "unsupported"],
  [400, "DIGEST_INVALID", "provided digest did not match", "unsupported"],
  [405, "", "", "unsupported"],
  [403, "DENIED", "requested access is denied", "permission"],
  [403, "DENIED", "manifest is referenced by another", "in-use"],
  [412, "PRECONDITION", "matched by an immutable tag rule", "immutable"],
  [409, "CONFLICT", "", "in-use"],
  [405, "DENIED", "index child", "in-use"],
  [423, "LOCKED", "", "locked"],
])("%i %s %s is refused: %s", async (status, code, message, reason) => {
  const { store } = await serve((_, response) => sendError(response, status, code, message));
  const result = await store.deleteManifest(digest);
  expect(result).toMatchObject({
    kind: "refused",
    reason,
    answer: expect.stringContaining(`${status} ${code}`.trim()),
  });
  if (reason === "unsupported")
    expect(result).toHaveProperty("hint", expect.stringContaining("DELETE_ENABLED"));
});

test.each<[string, string, Handler]>([
  ["401", "registry/unauthorized", (_, r) => sendError(r, 401, "UNAUTHORIZED")],
  ["429", "registry/rate-limited", (_, r) => sendError(r, 429, "TOOMANYREQUESTS")],
  ["500", "registry/server-failed", (_, r) => sendError(r, 500, "UNKNOWN")],
  ["a 400 of another kind", "registry/refused", (_, r) => sendError(r, 400, "STRANGE")],
  [
    "a page",
    "registry/not-a-registry",
    (_, r) => void r.writeHead(404, { "content-type": "text/html" }).end("<html>"),
  ],
])("%s is thrown: it isn't about this one object", async (_what, code, handler) => {
  const { store } = await serve(handler);
  await expect(store.deleteManifest(digest)).rejects.toMatchObject({ code });
});

test.each<[string, "native" | "isolate", Handler]>([
  ["404 MANIFEST_UNKNOWN", "native", (_, r) => sendError(r, 404, "MANIFEST_UNKNOWN")],
  ["202", "native", (_, r) => void r.writeHead(202).end()],
  ["400 DIGEST_INVALID", "isolate", (_, r) => sendError(r, 400, "DIGEST_INVALID")],
  ["405 UNSUPPORTED", "isolate", (_, r) => sendError(r, 405, "UNSUPPORTED")],
])(
  "how tags go is asked once, with a tag that doesn't exist: %s is %s",
  async (_what, deleteTag, handler) => {
    const { store, asked } = await serve(handler);
    const rules = await Promise.all([store.deletionRules(), store.deletionRules()]);
    expect(rules[0]).toMatchObject({ deleteTag, deleteManifest: "drops-tags", batchSize: 1 });
    await store.deletionRules();
    expect(asked()).toEqual([
      expect.stringMatching(/^DELETE \/v2\/app\/manifests\/werf-probe-[0-9a-f]{24}$/),
    ]);
  },
);

test("a repository that was opened for reading isn't asked how tags go: that takes a deletion", async () => {
  const { store, asked } = await serve((_, response) => sendError(response, 404, "MANIFEST_UNKNOWN"));
  const reading = openRegistry(client.run, store.repository, { insecure: false, access: "pull" });
  expect(await reading.deletionRules()).toMatchObject({ deleteTag: "unknown" });
  expect(asked()).toEqual([]);
});

test("without the permission to delete the rules can't be known; the next call asks again", async () => {
  let status = 403;
  const { store } = await serve((_, response) => sendError(response, status, "DENIED"));
  await expect(store.deletionRules()).rejects.toMatchObject({ code: "registry/denied" });
  status = 404;
  expect(await store.deletionRules()).toMatchObject({ deleteTag: "native" });
});

test("an unknown implementation is refused with the known ones", () => {
  const repository = { host: "registry.example", name: "app" };
  const options = { insecure: false, access: "pull", vendor: "nonesuch" } as const;
  expect(() => openRegistry(client.run, repository, options)).toThrow(
    'no container registry implementation "nonesuch"',
  );
});
