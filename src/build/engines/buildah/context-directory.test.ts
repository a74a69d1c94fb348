import { lstat, mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { TreeEntry } from "../../../git/repository.js";
import type { BuildContext } from "../../context/context.js";
import { writeContext } from "./context-directory.js";

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "werf-ts-context-"));
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** Each file's content is its `oid`. */
function context(
  ...files: readonly (readonly [path: string, mode: TreeEntry["mode"], content: string])[]
): BuildContext {
  return {
    files: files.map(([path, mode, content]) => ({ path, mode, oid: content, size: content.length })),
    open: async (file) => Readable.from([Buffer.from(file.oid)]),
  };
}

it("writes files, executables and links with the same times and modes everywhere", async () => {
  const directory = join(base, "out");
  await writeContext(
    context(
      ["a/b/run", "100755", "#!"],
      ["a/data", "100644", "d"],
      ["a/link", "120000", "../nowhere"],
      ["module", "160000", ""],
    ),
    directory,
  );
  expect(await readFile(join(directory, "a/data"), "utf8")).toBe("d");
  expect(await readlink(join(directory, "a/link"))).toBe("../nowhere");
  const facts = async (path: string): Promise<[number, string]> => {
    const { mode, mtime } = await lstat(join(directory, path));
    return [mode & 0o777, mtime.toISOString()];
  };
  const time = "1980-01-02T00:00:00.000Z";
  expect(await facts("a/b/run")).toEqual([0o755, time]);
  expect(await facts("a/data")).toEqual([0o644, time]);
  expect(await facts("a")).toEqual([0o755, time]);
  expect((await facts("a/link"))[1]).toBe(time);
  await expect(lstat(join(directory, "module"))).rejects.toThrow("ENOENT");
});

it("writes nothing through a link, whatever a tree claims", async () => {
  const outside = join(base, "outside");
  const hostile = context(["x", "120000", base], ["x/outside", "100644", "written outside"]);
  await expect(writeContext(hostile, join(base, "one"))).rejects.toMatchObject({
    code: "build/context-conflict",
  });
  await expect(lstat(outside)).rejects.toThrow("ENOENT");
  const nested = context(["y", "120000", base], ["y/outside", "120000", "/etc"]);
  await expect(writeContext(nested, join(base, "two"))).rejects.toMatchObject({
    code: "build/context-conflict",
  });
  await expect(lstat(outside)).rejects.toThrow("ENOENT");
});
