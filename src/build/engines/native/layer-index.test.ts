import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { baseImage, type TarSpec } from "../../../../test/support/base-image.js";
import { MemoryStore } from "../../../../test/support/memory-store.js";
import { type TestRun, testRun } from "../../../../test/support/run-context.js";
import { ImageTree, type StoredLayer, type TreeNode } from "./image-tree.js";
import { applyLayer, indexLayer } from "./layer-index.js";
import { LayerIndexes } from "./layer-index-cache.js";

async function layersOf(store: MemoryStore, specs: readonly (readonly TarSpec[])[]): Promise<StoredLayer[]> {
  const { layers } = await baseImage(store, specs);
  return layers.map((descriptor) => ({ store, descriptor }));
}

async function merged(...specs: readonly (readonly TarSpec[])[]): Promise<ImageTree> {
  const tree = new ImageTree();
  for (const layer of await layersOf(new MemoryStore("base"), specs)) {
    applyLayer(tree, await indexLayer(layer, () => undefined), layer);
  }
  return tree;
}

function paths(tree: ImageTree): string[] {
  const found: string[] = [];
  const visit = (path: string, node: TreeNode): void => {
    if (path !== "") found.push(path);
    if (node.kind === "directory") for (const [name, child] of node.children) visit(`${path}/${name}`, child);
  };
  visit("", tree.root);
  return found.sort();
}

describe("layers on top of each other", () => {
  it.each<[string, TarSpec[], TarSpec[], string[]]>([
    ["replace files", [{ name: "a", content: "1" }], [{ name: "a", content: "2" }], ["/a"]],
    ["remove files", [{ name: "d/a" }, { name: "d/b" }], [{ name: "d/.wh.a" }], ["/d", "/d/b"]],
    ["remove directories", [{ name: "d/a" }, { name: "b" }], [{ name: ".wh.d" }], ["/b"]],
    ["empty directories", [{ name: "d/a" }], [{ name: "d/.wh..wh..opq" }], ["/d"]],
    [
      "keep what they bring themselves",
      [{ name: "d/a" }],
      [{ name: "d/b" }, { name: "d/.wh..wh..opq" }],
      ["/d", "/d/b"],
    ],
    ["bring again what they removed", [{ name: "a" }], [{ name: "a" }, { name: ".wh.a" }], ["/a"]],
    ["keep the content of a directory that they repeat", [{ name: "d/a" }], [{ name: "d/" }], ["/d", "/d/a"]],
    ["put a file in place of a directory", [{ name: "d/a" }], [{ name: "d" }], ["/d"]],
    ["put a directory in place of a file", [{ name: "d" }], [{ name: "d/a" }], ["/d", "/d/a"]],
    [
      "go through links",
      [{ name: "usr/bin/" }, { name: "bin", type: "symlink", linkname: "usr/bin" }],
      [{ name: "bin/x" }],
      ["/bin", "/usr", "/usr/bin", "/usr/bin/x"],
    ],
    [
      "know no aufs",
      [{ name: "a" }],
      [{ name: ".wh..wh.plnk/x" }, { name: ".wh..wh.aufs" }],
      ["/.wh..wh.plnk", "/.wh..wh.plnk/x", "/a"],
    ],
    ["may have absolute names", [{ name: "/a" }], [{ name: "./b" }], ["/a", "/b"]],
  ])("%s", async (_what, lower, upper, expected) => {
    expect(paths(await merged(lower, upper))).toEqual(expected);
  });

  it("refuse names that lead outside", async () => {
    await expect(merged([{ name: "a/../../b" }])).rejects.toMatchObject({ code: "archive/path-outside" });
  });

  it("hold names that JavaScript knows", async () => {
    expect(paths(await merged([{ name: "__proto__/constructor" }]))).toEqual([
      "/__proto__",
      "/__proto__/constructor",
    ]);
  });
});

describe("resolving paths", () => {
  it.each([
    ["a/b", "a/b", "directory"],
    ["/a/./b/../b/", "a/b", "directory"],
    ["../../a", "a", "directory"],
    ["up/up/x", "x", "file"],
    ["chain", "a/b", "directory"],
    ["chain/new/../f", "a/b/f", undefined],
    ["loop", "loop", undefined],
    ["x/y", "x/y", undefined],
  ])("%s leads to %s", async (path, real, kind) => {
    const tree = await merged([
      { name: "a/b/" },
      { name: "x" },
      { name: "up", type: "symlink", linkname: "../.." },
      { name: "chain", type: "symlink", linkname: "/second" },
      { name: "second", type: "symlink", linkname: "a/b" },
      { name: "loop", type: "symlink", linkname: "loop" },
    ]);
    const resolved = tree.resolve(path);
    expect([resolved.path, resolved.node?.kind]).toEqual([real, kind]);
  });
});

describe("the indexes that are kept", () => {
  let run: TestRun;
  beforeEach(async () => {
    run = await testRun();
  });
  afterEach(() => run.dispose());

  it("serve the next run, and are read anew when they are damaged", async () => {
    const store = new MemoryStore("base");
    const [layer] = (await layersOf(store, [[{ name: "a", content: "1" }]])) as [StoredLayer];
    const reads = (): number => store.calls.length;
    const first = await LayerIndexes.of(run).of(layer);
    expect(first).toMatchObject([{ path: "a", type: "file", size: 1 }]);
    expect(await LayerIndexes.of({ ...run }).of(layer)).toEqual(first);
    expect(reads()).toBe(1);
    const directory = join(run.werfHome, "layer-index");
    const [file = ""] = await readdir(directory);
    await writeFile(join(directory, file), "damaged");
    expect(await LayerIndexes.of({ ...run }).of(layer)).toEqual(first);
    expect(reads()).toBe(2);
  });

  it("aren't made of a layer that is damaged", async () => {
    const store = new MemoryStore("base");
    const [layer] = (await layersOf(store, [[{ name: "a" }]])) as [StoredLayer];
    store.blobs.set(layer.descriptor.digest, Buffer.from("damaged"));
    await expect(LayerIndexes.of(run).of(layer)).rejects.toThrow();
    await expect(readdir(join(run.werfHome, "layer-index"))).rejects.toThrow("ENOENT");
    expect(run.events.at(-1)).toMatchObject({ code: "task/ended", result: "failed" });
  });
});
