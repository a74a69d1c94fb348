import { describe, expect, test } from "vitest";
import { randomBlob } from "../contract/content.js";
import { expectError, pushBlob, pushImage, putManifest, useRegistry } from "./client.js";

const client = useRegistry();

interface Page {
  readonly items: string[];
  readonly next: string | undefined;
}

async function page(path: string, key: "tags" | "repositories"): Promise<Page> {
  const answer = await client.send("GET", path);
  expect(answer.status).toBe(200);
  const items = (answer.json() as Record<string, string[]>)[key] ?? [];
  return { items, next: /^<([^>]+)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1] };
}

async function allPages(path: string, key: "tags" | "repositories"): Promise<Page["items"][]> {
  const pages: string[][] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const current: Page = await page(next, key);
    pages.push(current.items);
    next = current.next;
  }
  return pages;
}

describe("end-8: tags", () => {
  test("they are sorted, and new ones are seen at once", async () => {
    const image = await pushImage(client, "list/sorted", ["b", "a", "B", "10", "9"]);
    const path = "/v2/list/sorted/tags/list";
    expect((await client.send("GET", path)).json()).toEqual({
      name: "list/sorted",
      tags: ["10", "9", "B", "a", "b"],
    });
    await putManifest(client, "list/sorted", "c", image);
    await client.send("DELETE", "/v2/list/sorted/manifests/a");
    expect((await page(path, "tags")).items).toEqual(["10", "9", "B", "b", "c"]);
  });

  test("pages follow their links to the end", async () => {
    const tags = ["a", "b", "c", "d", "e"];
    await pushImage(client, "list/pages", tags);
    const path = "/v2/list/pages/tags/list";
    expect(await allPages(`${path}?n=2`, "tags")).toEqual([["a", "b"], ["c", "d"], ["e"]]);
    expect(await allPages(`${path}?n=5`, "tags")).toEqual([tags]);
    expect(await allPages(`${path}?n=100`, "tags")).toEqual([tags]);
    expect(await allPages(path, "tags")).toEqual([tags]);
  });

  test("last need not exist", async () => {
    await pushImage(client, "list/last", ["a", "c", "e"]);
    const path = "/v2/list/last/tags/list";
    expect((await page(`${path}?last=b`, "tags")).items).toEqual(["c", "e"]);
    expect((await page(`${path}?last=c&n=5`, "tags")).items).toEqual(["e"]);
    expect((await page(`${path}?last=z`, "tags")).items).toEqual([]);
    expect((await page(`${path}?last=`, "tags")).items).toEqual(["a", "c", "e"]);
  });

  test("n=0 is an empty page without a link", async () => {
    await pushImage(client, "list/zero", ["a"]);
    expect(await page("/v2/list/zero/tags/list?n=0", "tags")).toEqual({ items: [], next: undefined });
  });

  test.each(["-1", "x", "1.5", "", "99999999999999"])("n=%s is refused", async (n) => {
    await pushImage(client, "list/n", ["a"]);
    expectError(await client.send("GET", `/v2/list/n/tags/list?n=${n}`), 400, "PAGINATION_NUMBER_INVALID");
  });

  test("a repository without tags has an empty list, an unknown one is 404", async () => {
    await pushBlob(client, "list/empty", randomBlob());
    expect((await client.send("GET", "/v2/list/empty/tags/list")).json()).toEqual({
      name: "list/empty",
      tags: [],
    });
    expectError(await client.send("GET", "/v2/list/unknown/tags/list"), 404, "NAME_UNKNOWN");
    expectError(await client.send("GET", "/v2/list/tags/list"), 404, "NAME_UNKNOWN");
  });
});

describe("_catalog", () => {
  test("it has the repositories, in pages", async () => {
    for (const name of ["cat/z", "cat/a", "cat/a/b"]) await pushBlob(client, name, randomBlob());
    const items = (await allPages("/v2/_catalog?n=1", "repositories")).flat();
    expect(items.filter((name) => name.startsWith("cat/"))).toEqual(["cat/a", "cat/a/b", "cat/z"]);
    expect(items).toEqual((await page("/v2/_catalog", "repositories")).items);
    expectError(await client.send("GET", "/v2/_catalog?n=-1"), 400, "PAGINATION_NUMBER_INVALID");
  });
});
