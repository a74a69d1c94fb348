import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestWorkTree, testWorkTree } from "../../test/support/git-work-tree.js";
import { type TestRun, testRun } from "../../test/support/run-context.js";
import { openGitRepository } from "./open.js";
import type { GitRepository } from "./repository.js";

let run: TestRun;
let tree: TestWorkTree;
let opened: GitRepository[];

async function open(directory: string = tree.path): Promise<GitRepository> {
  const repo = await openGitRepository(run, directory);
  opened.push(repo);
  return repo;
}

async function bytes(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

beforeEach(async () => {
  run = await testRun();
  tree = await testWorkTree();
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((repo) => repo.close()));
  await tree.dispose();
  await run.dispose();
});

describe("opening a repository", () => {
  it("finds the work tree from a directory inside it", async () => {
    const hash = await tree.commit({ "a/b/c.txt": "c" }, 1_600_000_000);
    const repo = await open(join(tree.path, "a/b"));
    expect(repo.workTree).toBe(tree.path);
    expect(await repo.head()).toEqual({ hash, committedAt: new Date(1_600_000_000_000) });
  });

  it("says what is missing: a repository, a work tree, a commit, git itself", async () => {
    await expect(open(tree.path)).rejects.toMatchObject({ code: "git/no-commits" });
    const outside = await mkdtemp(join(tmpdir(), "werf-ts-none-"));
    await expect(open(outside)).rejects.toMatchObject({ code: "git/not-a-repository" });
    await tree.git("init", "--quiet", "--bare", join(outside, "bare"));
    await expect(open(join(outside, "bare"))).rejects.toMatchObject({
      code: "git/not-a-repository",
      hint: expect.stringContaining("bare") as string,
    });
    await rm(outside, { recursive: true });
    await run.dispose();
    run = await testRun({ env: { PATH: "/nowhere" } });
    await expect(open(tree.path)).rejects.toMatchObject({ code: "git/missing" });
  });

  it("isn't led astray by the variables of a surrounding hook", async () => {
    await tree.commit({ f: "1" });
    await run.dispose();
    run = await testRun({ env: { PATH: process.env["PATH"], GIT_DIR: "/nowhere", GIT_INDEX_FILE: "/none" } });
    expect((await open()).workTree).toBe(tree.path);
  });
});

describe("trees", () => {
  it("lists files, executables, links and submodules with odd names, sorted, below a prefix", async () => {
    await tree.commit({ "a.txt": "12345", "bin/run": { executable: "#!" }, link: { link: "a.txt" } });
    await tree.write({ 'dir/ünï "q"\n\t*.txt': "x", "dir-2/z": "z", "dir/a": "" });
    const submodule = "1234567890123456789012345678901234567890";
    await tree.git("add", "--all");
    await tree.git("update-index", "--add", "--cacheinfo", `160000,${submodule},vendor/lib`);
    await tree.git("commit", "--quiet", "-m", "more");
    const repo = await open();
    const { hash } = await repo.head();
    const all = await repo.listTree(hash);
    expect(all.map((e) => [e.path, e.mode, e.size])).toEqual([
      ["a.txt", "100644", 5],
      ["bin/run", "100755", 2],
      ["dir-2/z", "100644", 1],
      ["dir/a", "100644", 0],
      ['dir/ünï "q"\n\t*.txt', "100644", 1],
      ["link", "120000", 5],
      ["vendor/lib", "160000", 0],
    ]);
    expect((await repo.listTree(hash, "dir")).map((e) => e.path)).toEqual(["dir/a", 'dir/ünï "q"\n\t*.txt']);
    expect(await repo.listTree(hash, "nothing")).toEqual([]);
  });

  it("refuses a tree that could write outside of its directory", async () => {
    await tree.commit({ f: "x" });
    const blob = await tree.git("hash-object", "-w", "f");
    const exec = await run.exec(
      "git",
      ["-C", tree.path, "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
      {
        stdin: Buffer.concat([Buffer.from("100644 ..\0"), Buffer.from(blob, "hex")]),
      },
    );
    const hostile = Buffer.from(exec.stdout).toString().trim();
    await expect((await open()).listTree(hostile)).rejects.toMatchObject({ code: "git/tree-invalid" });
  });

  it("works with SHA-256 repositories", async () => {
    const other = await testWorkTree(["--object-format=sha256"]);
    const hash = await other.commit({ f: "content" });
    const repo = await open(other.path);
    expect(hash).toHaveLength(64);
    const [entry] = await repo.listTree(hash);
    expect((await bytes(await repo.readBlob(entry!.oid))).toString()).toBe("content");
    await repo.close();
    await other.dispose();
  });
});

describe("reading a file of a commit", () => {
  it("follows links inside the tree and none that lead out", async () => {
    const hash = await tree.commit({
      "real/conf.yaml": "found",
      alias: { link: "real" },
      "deep/up.yaml": { link: "../alias/conf.yaml" },
      out: { link: "../etc/passwd" },
      absolute: { link: "/etc/passwd" },
      loop: { link: "loop" },
    });
    const repo = await open();
    const text = async (path: string): Promise<string | undefined> => {
      const file = await repo.readFile(hash, path);
      return file === undefined ? undefined : Buffer.from(file).toString();
    };
    expect(await text("real/conf.yaml")).toBe("found");
    expect(await text("./alias/conf.yaml")).toBe("found");
    expect(await text("deep/up.yaml")).toBe("found");
    for (const path of ["out", "absolute", "loop", "real", "no/such", "real/conf.yaml/x", "../x", ""]) {
      expect(await text(path), path).toBeUndefined();
    }
  });

  it("reads the commit, not the work tree, and stops at the limit", async () => {
    const hash = await tree.commit({ f: "committed" });
    await tree.write({ f: "edited" });
    const repo = await open();
    expect(Buffer.from((await repo.readFile(hash, "f")) ?? []).toString()).toBe("committed");
    await expect(repo.readFile(hash, "f", 8)).rejects.toMatchObject({ code: "git/file-too-large" });
  });
});

describe("reading blobs", () => {
  it("gives every reader its own content when many read at once, large and small, in any order", async () => {
    const contents = Array.from({ length: 60 }, (_, i) => randomBytes(i % 20 === 7 ? 3_000_000 : i * 997));
    await tree.commit(Object.fromEntries(contents.map((content, i) => [`f${i}`, content])));
    const repo = await open();
    const { hash } = await repo.head();
    const entries = await repo.listTree(hash);
    const streams = await Promise.all(entries.map((entry) => repo.readBlob(entry.oid)));
    for (const [i, stream] of [...streams.entries()].reverse()) {
      const index = Number(entries[i]!.path.slice(1));
      expect((await bytes(stream)).equals(contents[index]!), entries[i]!.path).toBe(true);
    }
  });

  it("names an object that isn't there, and goes on", async () => {
    await tree.commit({ f: "still here" });
    const repo = await open();
    const [entry] = await repo.listTree((await repo.head()).hash);
    const lost = repo.readBlob(`${"0".repeat(39)}1`);
    const good = repo.readBlob(entry!.oid);
    await expect(lost).rejects.toMatchObject({ code: "git/object-missing" });
    expect((await bytes(await good)).toString()).toBe("still here");
    await expect(repo.readBlob("HEAD\nHEAD")).rejects.toMatchObject({ code: "git/object-missing" });
    const large = await repo.readBlob(`${"0".repeat(39)}2`, 9_000_000);
    await expect(bytes(large)).rejects.toMatchObject({ code: "git/failed" });
  });

  it("stops git when a reader leaves early", async () => {
    await tree.commit({ big: randomBytes(8_000_000) });
    const repo = await open();
    const [entry] = await repo.listTree((await repo.head()).hash);
    const stream = await repo.readBlob(entry!.oid, entry!.size);
    for await (const _ of stream) break;
    expect(stream.destroyed).toBe(true);
    expect((await bytes(await repo.readBlob(entry!.oid, entry!.size))).length).toBe(8_000_000);
  });

  it("reads on after close", async () => {
    await tree.commit({ f: "1" });
    const repo = await open();
    const [entry] = await repo.listTree((await repo.head()).hash);
    await bytes(await repo.readBlob(entry!.oid));
    await repo.close();
    expect((await bytes(await repo.readBlob(entry!.oid))).toString()).toBe("1");
  });
});

describe("uncommitted paths", () => {
  it("lists what differs, is staged or untracked, and not what is ignored", async () => {
    await tree.commit({ ".gitignore": "*.log\n", a: "1", "d/b": "1", "d/gone": "1", same: "1" });
    await tree.git("rm", "--quiet", "d/gone");
    await tree.write({ a: "2", "d/new é": "n", "d/x.log": "ignored", staged: "s" });
    await tree.git("add", "staged");
    await tree.git("mv", "same", "moved");
    const repo = await open();
    expect(await repo.uncommittedPaths()).toEqual(["a", "d/gone", "d/new é", "moved", "same", "staged"]);
    expect(await repo.uncommittedPaths("d")).toEqual(["d/gone", "d/new é"]);
  });

  it("doesn't depend on the user's configuration", async () => {
    await tree.commit({ a: "1" });
    for (const [key, value] of [
      ["status.branch", "true"],
      ["status.short", "true"],
      ["status.showUntrackedFiles", "no"],
      ["color.ui", "always"],
      ["core.quotePath", "true"],
      ["log.showSignature", "true"],
    ] as const) {
      await tree.git("config", key, value);
    }
    await tree.write({ новый: "n" });
    const repo = await open();
    expect(await repo.uncommittedPaths()).toEqual(["новый"]);
    expect((await repo.head()).hash).toMatch(/^[0-9a-f]{40}$/);
  });
});
