import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestWorkTree, testWorkTree } from "../../test/support/git-work-tree.js";
import { type TestRun, testRun } from "../../test/support/run-context.js";
import { commitsExist, readCommitGraph } from "./commit-graph.js";
import { readReferences } from "./history.js";
import { openGitRepository } from "./open.js";
import { changedReferences, fetchReferences, lsRemote } from "./remote.js";

const allow = { forceShallowClone: false, allowUnshallow: true, allowFetchOriginBranchesAndTags: true };

let run: TestRun;
let origin: TestWorkTree;
let hashes: { first: string; second: string; feature: string };

/** A clone of `origin` in the run's directory. */
async function clone(...options: string[]): Promise<string> {
  const path = join(run.cwd, `clone-${options.length}`);
  await origin.git("clone", "--quiet", ...options, `file://${origin.path}`, path);
  return path;
}

beforeEach(async () => {
  run = await testRun();
  origin = await testWorkTree();
  const first = await origin.commit({ f: "1" }, 1_600_000_000);
  await origin.git("tag", "v1");
  const second = await origin.commit({ f: "2" }, 1_600_000_100);
  await origin.git("checkout", "--quiet", "-b", "feature/x", first);
  const feature = await origin.commit({ g: "1" }, 1_600_000_200);
  await origin.git("checkout", "--quiet", "main");
  await origin.git("tag", "-a", "-m", "two", "v2", second);
  hashes = { first, second, feature };
});
afterEach(async () => {
  await origin.dispose();
  await run.dispose();
});

const at = (seconds: number): Date => new Date(seconds * 1000);

describe("references", () => {
  it("have the dates that the policies count from, and no symbolic or non-commit reference", async () => {
    await origin.git("tag", "blob-tag", `${hashes.first}:f`);
    await origin.git("tag", "-a", "-m", "tree", "tree-tag", `${hashes.first}^{tree}`);
    await origin.git("tag", "-a", "-m", "nested", "nested", "v2");
    const repo = await openGitRepository(run, await clone());
    const source = await fetchReferences(run, repo, allow);
    const references = await readReferences(run, repo, source);
    expect(source).toBe("fetched");
    expect(references.map(({ object: _, ...rest }) => rest)).toEqual([
      { kind: "branch", name: "feature/x", commit: hashes.feature, date: at(1_600_000_200) },
      { kind: "branch", name: "main", commit: hashes.second, date: at(1_600_000_100) },
      { kind: "tag", name: "nested", commit: hashes.second, date: at(1_700_000_000) },
      { kind: "tag", name: "v1", commit: hashes.first, date: at(1_600_000_000) },
      { kind: "tag", name: "v2", commit: hashes.second, date: at(1_700_000_000) },
    ]);
    expect(await changedReferences(run, repo, references, await lsRemote(run, repo))).toEqual([]);
  });

  it("are the local branches where there is no origin", async () => {
    const repo = await openGitRepository(run, origin.path);
    const source = await fetchReferences(run, repo, allow);
    expect(source).toBe("local");
    expect((await readReferences(run, repo, source)).map((r) => r.name)).toEqual([
      "feature/x",
      "main",
      "v1",
      "v2",
    ]);
  });

  it("are the user's tracking branches where fetching is not allowed", async () => {
    const repo = await openGitRepository(run, await clone());
    const source = await fetchReferences(run, repo, { ...allow, allowFetchOriginBranchesAndTags: false });
    expect(source).toBe("tracking");
    expect((await readReferences(run, repo, source)).map((r) => r.name)).toEqual([
      "feature/x",
      "main",
      "v1",
      "v2",
    ]);
  });
});

describe("fetching", () => {
  it("leaves every reference, tag and configuration of the user alone, whatever the configuration says", async () => {
    const path = await clone();
    const git = (...args: string[]): Promise<string> => origin.git("-C", path, ...args);
    for (const key of ["fetch.prune", "fetch.pruneTags", "remote.origin.prune", "remote.origin.pruneTags"]) {
      await git("config", key, "true");
    }
    await git("config", "remote.origin.tagOpt", "--tags");
    await git("tag", "my-own");
    await git("update-ref", "refs/remotes/origin/gone", hashes.first);
    await origin.commit({ f: "3" }, 1_600_000_300);
    await origin.git("tag", "v3");
    await origin.git("branch", "-D", "feature/x");
    const users = ["for-each-ref", "refs/heads", "refs/remotes", "refs/tags"];
    const before = await git(...users);
    const repo = await openGitRepository(run, path);
    await fetchReferences(run, repo, allow);
    expect(await git(...users)).toBe(before);
    expect((await readReferences(run, repo, "fetched")).map((r) => r.name)).toEqual([
      "main",
      "v1",
      "v2",
      "v3",
    ]);
    await origin.git("tag", "-d", "v3");
    await fetchReferences(run, repo, allow);
    expect((await readReferences(run, repo, "fetched")).map((r) => r.name)).toEqual(["main", "v1", "v2"]);
    expect(await git(...users)).toBe(before);
  });

  it("makes a shallow clone whole, or refuses it", async () => {
    const path = await clone("--depth=1", "--single-branch");
    const repo = await openGitRepository(run, path);
    for (const options of [
      { ...allow, allowUnshallow: false },
      { ...allow, allowFetchOriginBranchesAndTags: false },
    ]) {
      await expect(fetchReferences(run, repo, options)).rejects.toMatchObject({ code: "git/shallow-clone" });
    }
    const forced = { ...allow, forceShallowClone: true };
    expect(await fetchReferences(run, repo, forced)).toBe("fetched");
    await fetchReferences(run, repo, allow);
    expect(await origin.git("-C", path, "rev-parse", "--is-shallow-repository")).toBe("false");
    const heads = (await readReferences(run, repo, "fetched")).map((r) => r.commit);
    expect((await readCommitGraph(run, repo, heads)).size).toBe(3);
  });

  it("fails with git's words when origin doesn't answer, without the password of its address", async () => {
    const path = await clone();
    await origin.git("-C", path, "remote", "set-url", "origin", "http://ci:s3cr%21t-token@127.0.0.1:1/x.git");
    const repo = await openGitRepository(run, path);
    const error = await fetchReferences(run, repo, allow).catch((e: unknown) => e as Error);
    expect(error).toMatchObject({ code: "git/failed" });
    expect(String(error)).toContain("127.0.0.1");
    expect(String(error)).not.toContain("t-token");
    expect(run.secrets.redact("s3cr!t-token")).toBe("***");
    await expect(lsRemote(run, repo)).rejects.toMatchObject({ code: "git/failed" });
  });

  it("notices heads and tags that appeared or moved", async () => {
    const repo = await openGitRepository(run, await clone());
    await fetchReferences(run, repo, allow);
    const references = await readReferences(run, repo, "fetched");
    const moved = await origin.commit({ f: "4" });
    await origin.git("tag", "v4", hashes.first);
    await origin.git("tag", "-d", "v1");
    const changed = await changedReferences(run, repo, references, await lsRemote(run, repo));
    expect(changed).toEqual([
      { kind: "branch", name: "main", object: moved },
      { kind: "tag", name: "v4", object: hashes.first },
    ]);
  });
});

describe("the graph of commits", () => {
  it("holds every reachable commit with all its parents and its committer date", async () => {
    await origin.git("merge", "--quiet", "--no-edit", "feature/x");
    const merge = await origin.git("rev-parse", "HEAD");
    const repo = await openGitRepository(run, origin.path);
    const graph = await readCommitGraph(run, repo, [merge, merge, hashes.first]);
    expect(Object.fromEntries(graph)).toEqual({
      [merge]: { parents: [hashes.second, hashes.feature], committedAt: 1_700_000_000_000 },
      [hashes.second]: { parents: [hashes.first], committedAt: 1_600_000_100_000 },
      [hashes.feature]: { parents: [hashes.first], committedAt: 1_600_000_200_000 },
      [hashes.first]: { parents: [], committedAt: 1_600_000_000_000 },
    });
    expect((await readCommitGraph(run, repo, [])).size).toBe(0);
  });

  it("has a child before its parents, also when all are of one second", async () => {
    const chain: string[] = [];
    for (let n = 0; n < 5; n++) chain.unshift(await origin.commit({ file: `${n}` }, 1_800_000_000));
    const repo = await openGitRepository(run, origin.path);
    const graph = await readCommitGraph(run, repo, chain.toReversed());
    expect([...graph.keys()].slice(0, 5)).toEqual(chain);
  });

  it("is refused when a commit of it is missing", async () => {
    const repo = await openGitRepository(run, origin.path);
    await rm(join(origin.path, ".git/objects", hashes.first.slice(0, 2), hashes.first.slice(2)));
    await expect(readCommitGraph(run, repo, [hashes.second])).rejects.toMatchObject({ code: "git/failed" });
  });

  it("knows which hashes are commits", async () => {
    const repo = await openGitRepository(run, origin.path);
    const tree = await origin.git("rev-parse", "HEAD^{tree}");
    const asked = [hashes.first, hashes.second, tree, "f".repeat(40), "HEAD", "--all", "x\ny"];
    expect(await commitsExist(run, repo, asked)).toEqual(new Set([hashes.first, hashes.second]));
    expect(await commitsExist(run, repo, [])).toEqual(new Set());
  });
});
