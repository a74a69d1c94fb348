import { WerfError } from "../core/errors.js";
import { type Git, gitOutput, splitNul } from "./command.js";
import type { ObjectId, TreeEntry } from "./repository.js";

const line = /^(\d{6}) (\w+) ([0-9a-f]{40,64}) +(\d+|-)\t(.*)$/s;

/** Modes that git writes, and one that it wrote in its first year. */
const modes: Readonly<Record<string, TreeEntry["mode"]>> = {
  "100644": "100644",
  "100664": "100644",
  "100755": "100755",
  "120000": "120000",
  "160000": "160000",
};

/** Every blob, symlink and submodule below `prefix`, in git's order: by the bytes of the path. */
export async function listTree(git: Git, commit: ObjectId, prefix: string): Promise<TreeEntry[]> {
  const doing = `cannot list the files of commit ${commit}`;
  const args = ["ls-tree", "-r", "-l", "-z", "--full-tree", commit];
  const output = await gitOutput(git, doing, prefix === "" ? args : [...args, "--", `${trimSlash(prefix)}/`]);
  return splitNul(output, doing).map((text) => parseEntry(text, doing));
}

/**
 * The file at `path`, with symlinks followed inside the tree; `undefined` when there is none, or when a
 * link leads out of the repository or in a circle.
 */
export async function findFile(
  git: Git,
  commit: ObjectId,
  path: string,
  readLink: (entry: TreeEntry) => Promise<string>,
): Promise<TreeEntry | undefined> {
  let wanted = normalize(path);
  for (let hop = 0; hop < 40 && wanted !== undefined && wanted !== ""; hop++) {
    const found = await entriesOnTheWay(git, commit, wanted);
    const link = found.find((entry) => entry.mode === "120000");
    if (link === undefined) return found.find((entry) => entry.path === wanted && entry.mode !== "160000");
    const parent = link.path.slice(0, link.path.lastIndexOf("/") + 1);
    const target = await readLink(link);
    if (target.startsWith("/")) return undefined;
    wanted = normalize(`${parent}${target}${wanted.slice(link.path.length)}`);
  }
  return undefined;
}

/** The blobs and links among a path and its parents, the shortest first. */
async function entriesOnTheWay(git: Git, commit: ObjectId, path: string): Promise<TreeEntry[]> {
  const parts = path.split("/");
  const ways = parts.map((_, i) => parts.slice(0, i + 1).join("/"));
  const doing = `cannot read ${path} of commit ${commit}`;
  const args = ["ls-tree", "-l", "-z", "--full-tree", commit, "--", ...ways];
  const lines = splitNul(await gitOutput(git, doing, args), doing).filter((text) => !/^\d+ tree /.test(text));
  return lines
    .map((text) => parseEntry(text, doing))
    .filter((entry) => ways.includes(entry.path))
    .sort((a, b) => a.path.length - b.path.length);
}

function parseEntry(text: string, doing: string): TreeEntry {
  const [, mode = "", , oid = "", size = "", path = ""] = line.exec(text) ?? [];
  const known = modes[mode];
  // git itself refuses such names only when it checks them out.
  const unsafe = path.split("/").some((part) => part === "" || part === "." || part === "..");
  if (known === undefined || unsafe) {
    throw new WerfError(
      "git/tree-invalid",
      `${doing}: an entry that can't be checked out: ${JSON.stringify(text)}`,
    );
  }
  return { path, mode: known, oid, size: size === "-" ? 0 : Number(size) };
}

function trimSlash(path: string): string {
  return path.replace(/^\.?\/+|\/+$/g, "");
}

/** `undefined` when the path leaves the tree. */
function normalize(path: string): string | undefined {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}
