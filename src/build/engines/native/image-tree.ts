import type { Readable } from "node:stream";
import type { Descriptor } from "../../../oci/descriptor.js";
import type { Store } from "../../../oci/store.js";

/** A layer that lies in a store. */
export interface StoredLayer {
  readonly store: Store;
  readonly descriptor: Descriptor;
}

export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

interface Facts extends Ownership {
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
}

export interface DirectoryNode extends Facts {
  readonly kind: "directory";
  readonly children: Map<string, TreeNode>;
}
export interface FileNode extends Facts {
  readonly kind: "file";
  readonly size: number;
  /** Where the bytes are: at hand, or in a layer under this path. */
  readonly content:
    | { readonly kind: "open"; open(): Promise<Readable> }
    | { readonly kind: "layer"; readonly layer: StoredLayer; readonly path: string };
}
export interface SymlinkNode extends Facts {
  readonly kind: "symlink";
  readonly target: string;
}
/** A device or a pipe. */
export interface SpecialNode extends Facts {
  readonly kind: "special";
}
export type TreeNode = DirectoryNode | FileNode | SymlinkNode | SpecialNode;

export interface ResolvedPath {
  /** With links followed, without a leading slash; what isn't there yet is appended. */
  readonly path: string;
  readonly node: TreeNode | undefined;
  /** The path of what stands in the way: something that is no directory. */
  readonly blockedBy?: string;
}

const maxLinks = 40;
export const defaultDirectoryMode = 0o755;

export function emptyDirectory(): DirectoryNode {
  return { kind: "directory", mode: defaultDirectoryMode, uid: 0, gid: 0, children: new Map() };
}

/** The files of an image as its containers see them. */
export class ImageTree {
  readonly root: DirectoryNode = emptyDirectory();

  /**
   * Finds what a path leads to. Links above its last part are followed, below the root only, and the last part
   * too with `followLast`.
   */
  resolve(path: string, followLast = true): ResolvedPath {
    const waiting = path.split("/");
    let way: { readonly name: string; readonly node: TreeNode }[] = [];
    let links = 0;
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      if (!isName(part)) continue;
      if (part === "..") {
        way.pop();
        continue;
      }
      const here = way.at(-1)?.node ?? this.root;
      const at = pathOf(way);
      if (here.kind !== "directory") return absent(at, [part, ...waiting], at);
      const child = here.children.get(part);
      if (child === undefined) return absent(at, [part, ...waiting]);
      if (child.kind === "symlink" && (followLast || waiting.some(isName))) {
        if (++links > maxLinks) return absent(at, [part, ...waiting], join(at, part));
        if (child.target.startsWith("/")) way = [];
        waiting.unshift(...child.target.split("/"));
        continue;
      }
      way.push({ name: part, node: child });
    }
    return { path: pathOf(way), node: way.at(-1)?.node ?? this.root };
  }

  /** Puts a node in place of what is there; directories above that are missing are made, links are followed. */
  put(path: string, node: TreeNode): void {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    if (name === "") {
      if (node.kind === "directory")
        Object.assign(this.root, { mode: node.mode, uid: node.uid, gid: node.gid });
      return;
    }
    const directory = this.#directory(slash < 0 ? "" : path.slice(0, slash));
    const before = directory.children.get(name);
    const keepsChildren = node.kind === "directory" && before?.kind === "directory";
    directory.children.set(name, keepsChildren ? { ...node, children: before.children } : node);
  }

  remove(path: string): void {
    const slash = path.lastIndexOf("/");
    const { node } = this.resolve(slash < 0 ? "" : path.slice(0, slash));
    if (node?.kind === "directory") node.children.delete(path.slice(slash + 1));
  }

  #directory(path: string): DirectoryNode {
    let { path: real, node } = this.resolve(path);
    if (node?.kind === "directory") return node;
    // Something else stands where the layer has a directory: the layer wins, as when it is unpacked.
    let directory = this.root;
    for (const part of real.split("/")) {
      const child = directory.children.get(part);
      node = child?.kind === "directory" ? child : emptyDirectory();
      directory.children.set(part, node);
      directory = node;
    }
    return directory;
  }
}

function pathOf(way: readonly { readonly name: string }[]): string {
  return way.map(({ name }) => name).join("/");
}

export function join(directory: string, name: string): string {
  return directory === "" ? name : name === "" ? directory : `${directory}/${name}`;
}

function isName(part: string): boolean {
  return part !== "" && part !== ".";
}

function absent(directory: string, rest: readonly string[], blockedBy?: string): ResolvedPath {
  const path = normalized([...directory.split("/"), ...rest]);
  return { path, node: undefined, ...(blockedBy === undefined ? {} : { blockedBy }) };
}

function normalized(parts: readonly string[]): string {
  const result: string[] = [];
  for (const part of parts) {
    if (part === "..") result.pop();
    else if (isName(part)) result.push(part);
  }
  return result.join("/");
}
