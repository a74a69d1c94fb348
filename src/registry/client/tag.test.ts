import { expect, test } from "vitest";
import { type Handler, sendError, sendJson } from "../../../test/support/http-server.js";
import { useRegistryClient } from "../../../test/support/registry-client.js";
import type { Registry } from "./registry.js";

const { serve } = useRegistryClient("pull");

async function tagsOf(store: Registry): Promise<string[]> {
  const tags: string[] = [];
  for await (const tag of store.listTags()) tags.push(tag);
  return tags;
}

test("pages are followed by Link, relative or absolute; each tag comes once", async () => {
  const { store, asked, server } = await serve((request, response) => {
    const last = new URL(request.url ?? "", "http://x").searchParams.get("last");
    if (last === null)
      return sendJson(response, { tags: ["b", "a"] }, { link: '</v2/app/tags/list?last=a&n=2>; rel="next"' });
    if (last === "a") {
      const link = `<${server.url}/other>; rel=prev, <${server.url}/v2/app/tags/list?last=c>; foo="x, y"; rel="last next"`;
      return sendJson(response, { tags: ["a", "c"] }, { link });
    }
    sendJson(response, { tags: null });
  });
  expect(await tagsOf(store)).toEqual(["b", "a", "c"]);
  expect(asked()).toEqual(
    ["?n=1000", "?last=a&n=2", "?last=c"].map((query) => `GET /v2/app/tags/list${query}`),
  );
});

test("a page size that is refused is made smaller", async () => {
  const { store, asked } = await serve((request, response) => {
    if (request.url?.endsWith("n=1000")) return sendError(response, 400, "PAGINATION_NUMBER_INVALID");
    if (request.url?.endsWith("n=100")) return sendError(response, 400, "UNSUPPORTED");
    sendJson(response, { tags: ["a"] });
  });
  expect(await tagsOf(store)).toEqual(["a"]);
  expect(asked()).toHaveLength(3);
});

test.each<[string, (host: string, n: number) => { tags: string[]; link: string }]>([
  ["leads back", () => ({ tags: ["a"], link: "</v2/app/tags/list?n=1000>; rel=next" })],
  ["never brings anything new", (_, n) => ({ tags: ["a"], link: `</v2/app/tags/list?last=${n}>; rel=next` })],
  ["leads elsewhere", () => ({ tags: ["a"], link: "<https://evil.example/v2/app/tags/list>; rel=next" })],
])("a listing that %s is an error, not a list", async (_what, page) => {
  let n = 0;
  const { store, server } = await serve((_, response) => {
    const { tags, link } = page(server.host, n++);
    sendJson(response, { tags }, { link });
  });
  await expect(tagsOf(store)).rejects.toMatchObject({ code: "registry/pagination" });
  expect(n).toBeLessThan(50);
});

test.each([
  ["404 NAME_UNKNOWN", 404, "NAME_UNKNOWN"],
  ["zot's 400 NAME_UNKNOWN", 400, "NAME_UNKNOWN"],
])("a repository that isn't known has no tags and is missing: %s", async (_what, status, code) => {
  const { store } = await serve((_, response) => sendError(response, status, code));
  expect(await tagsOf(store)).toEqual([]);
  expect(await store.statRepository()).toBe("missing");
});

test("an empty repository is present", async () => {
  const { store, asked } = await serve((_, response) => sendJson(response, { name: "app", tags: null }));
  expect(await tagsOf(store)).toEqual([]);
  expect(await store.statRepository()).toBe("present");
  expect(asked().at(-1)).toBe("GET /v2/app/tags/list?n=1");
});

test("a repository that vanishes between two pages has no whole list", async () => {
  const { store } = await serve((request, response) => {
    if (request.url?.includes("last=")) return sendError(response, 404, "NAME_UNKNOWN");
    sendJson(response, { tags: ["a"] }, { link: "</v2/app/tags/list?last=a>; rel=next" });
  });
  await expect(tagsOf(store)).rejects.toMatchObject({ code: "registry/not-found" });
});

test.each<[string, string, Handler]>([
  [
    "a 404 that isn't the registry's",
    "registry/not-a-registry",
    (_, r) => void r.writeHead(404).end("404 page not found"),
  ],
  [
    "a login page",
    "registry/not-a-registry",
    (_, r) => void r.writeHead(200, { "content-type": "text/html" }).end("<html>"),
  ],
  ["tags that are none", "registry/answer-invalid", (_, r) => sendJson(r, { tags: ["../../x"] })],
  ["no list", "registry/answer-invalid", (_, r) => sendJson(r, { repositories: [] })],
  ["no permission", "registry/denied", (_, r) => sendError(r, 403, "DENIED")],
  ["a failing server", "registry/server-failed", (_, r) => sendError(r, 500, "UNKNOWN")],
  ["a limit of requests", "registry/rate-limited", (_, r) => sendError(r, 429, "TOOMANYREQUESTS")],
])("%s is an error, never an empty list", async (_what, code, handler) => {
  const { store } = await serve(handler);
  await expect(tagsOf(store)).rejects.toMatchObject({ code });
  await expect(store.statRepository()).rejects.toMatchObject({ code });
});
