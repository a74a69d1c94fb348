import { isAbsolute, join } from "node:path";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { BlobReader } from "./blob-reader.js";
import { type Git, gitFailure, gitIn, gitOutput, splitNul } from "./command.js";
import type { Commit, GitRepository, ObjectId, TreeEntry } from "./repository.js";
import { findFile, listTree } from "./tree.js";

const defaultFileLimit = 16 * 1024 * 1024;

/**
 * Finds the work tree that `directory` lies in.
 * @throws WerfError `git/missing`, `git/not-a-repository`, `git/no-commits`
 */
export async function openGitRepository(run: RunContext, directory: string): Promise<GitRepository> {
  const start = isAbsolute(directory) ? directory : join(run.cwd, directory);
  const workTree = await findWorkTree(gitIn(run, start), start);
  const git = gitIn(run, workTree);
  await readHead(git, workTree);
  const blobs = new BlobReader(git, run.signal);
  return {
    workTree,
    head: () => readHead(git, workTree),
    listTree: (commit, prefix = "") => listTree(git, commit, prefix),
    readFile: (commit, path, limit = defaultFileLimit) => readFile(git, blobs, commit, path, limit),
    readBlob: (oid, size) => blobs.read(oid, size),
    uncommittedPaths: (prefix = "") => uncommittedPaths(git, prefix),
    close: () => blobs.close(),
  };
}

async function findWorkTree(git: Git, start: string): Promise<string> {
  const result = await git(["rev-parse", "--show-toplevel"]);
  if (result.exitCode === 0) return Buffer.from(result.stdout).toString("utf8").replace(/\n$/, "");
  if (result.stderr.includes("dubious ownership")) throw gitFailure(`cannot open ${start}`, result);
  const hint = result.stderr.includes("must be run in a work tree")
    ? "this is a bare repository: clone it, and run in the clone"
    : "run in a git work tree, or name one with --dir; `git init` makes one";
  throw new WerfError("git/not-a-repository", `${start} is not in a git work tree: ${result.stderr.trim()}`, {
    hint,
  });
}

async function readHead(git: Git, workTree: string): Promise<Commit> {
  const result = await git(["rev-list", "--max-count=1", "--timestamp", "HEAD"]);
  const [seconds, hash] = Buffer.from(result.stdout).toString("latin1").trim().split(" ");
  if (result.exitCode === 0 && hash !== undefined) {
    return { hash, committedAt: new Date(Number(seconds) * 1000) };
  }
  if (!/unknown revision|bad revision/.test(result.stderr)) {
    throw gitFailure(`cannot read HEAD of ${workTree}`, result);
  }
  throw new WerfError("git/no-commits", `the repository ${workTree} has no commit yet`, {
    hint: "what is built comes from a commit: `git add` and `git commit` first",
  });
}

async function readFile(
  git: Git,
  blobs: BlobReader,
  commit: ObjectId,
  path: string,
  limit: number,
): Promise<Uint8Array | undefined> {
  const whole = async (entry: TreeEntry): Promise<Buffer> => {
    if (entry.size > limit) {
      throw new WerfError(
        "git/file-too-large",
        `${path} of commit ${commit} has ${entry.size} bytes; at most ${limit} are read`,
      );
    }
    const chunks: Buffer[] = [];
    for await (const chunk of await blobs.read(entry.oid, entry.size)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  const entry = await findFile(git, commit, path, async (link) => (await whole(link)).toString("utf8"));
  return entry === undefined ? undefined : whole(entry);
}

async function uncommittedPaths(git: Git, prefix: string): Promise<string[]> {
  const doing = "cannot compare the work tree with HEAD";
  const args = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"];
  const pathspec = prefix === "" ? [] : ["--", prefix];
  const output = await gitOutput(git, doing, [...args, "--ignore-submodules=none", ...pathspec]);
  const status = splitNul(output, doing).filter((field) => !field.startsWith("## "));
  return status.map((field) => field.slice(3)).sort();
}
