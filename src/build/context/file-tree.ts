import type { TreeEntry } from "../../git/repository.js";

/** The files of a context by directory, so that a path is found without looking at all of them. */
export interface DirectoryNode {
  readonly kind: "directory";
  readonly path: string;
  readonly children: Map<string, FileTreeNode>;
}
export interface FileNode {
  readonly kind: "file";
  readonly path: string;
  readonly entry: TreeEntry;
}
export type FileTreeNode = DirectoryNode | FileNode;

const maxLinks = 40;

export function fileTree(files: readonly TreeEntry[]): DirectoryNode {
  const root: DirectoryNode = { kind: "directory", path: "", children: new Map() };
  for (const entry of files) {
    const parts = entry.path.split("/");
    const name = parts.pop() ?? "";
    let directory = root;
    for (const part of parts) {
      let child = directory.children.get(part);
      if (child?.kind !== "directory") {
        child = { kind: "directory", path: joined(directory.path, part), children: new Map() };
        directory.children.set(part, child);
      }
      directory = child;
    }
    directory.children.set(name, { kind: "file", path: entry.path, entry });
  }
  return root;
}

function joined(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Every file below a directory, in the order of the context. */
export function* filesBelow(directory: DirectoryNode): Generator<FileNode> {
  for (const child of directory.children.values()) {
    if (child.kind === "file") yield child;
    else yield* filesBelow(child);
  }
}

/**
 * Finds what a path leads to, with symlinks followed as a build does: the context is their root directory,
 * which `..` does not leave. `undefined` when it leads nowhere or in a circle.
 */
export async function resolvePath(
  root: DirectoryNode,
  path: string,
  readLink: (entry: TreeEntry) => Promise<string>,
): Promise<FileTreeNode | undefined> {
  let waiting = path.split("/");
  let way: FileTreeNode[] = [root];
  let links = 0;
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (way.length > 1) way.pop();
      continue;
    }
    const here = way.at(-1);
    const child = here?.kind === "directory" ? here.children.get(part) : undefined;
    if (child === undefined) return undefined;
    if (child.kind === "directory" || child.entry.mode !== "120000") {
      way.push(child);
      continue;
    }
    if (++links > maxLinks) return undefined;
    const target = await readLink(child.entry);
    if (target.startsWith("/")) way = [root];
    waiting = [...target.split("/"), ...waiting];
  }
  return way.at(-1);
}
