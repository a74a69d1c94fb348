import { nearest } from "../../core/suggest.js";
import type { DirectoryNode, FileTreeNode } from "./file-tree.js";

const maxLooked = 20_000;

/** Paths that a person may have meant: nearly the same path, or nearly the same name elsewhere. */
export function nearestNames(root: DirectoryNode, path: string): string[] {
  const nodes = [...nodesBelow(root)];
  const samePath = nearest(
    path,
    nodes.map((node) => node.path),
  );
  const byName = new Map(nodes.map((node) => [nameOf(node.path), node.path]));
  const sameName = byName.get(nearest(nameOf(path), byName.keys()) ?? "");
  return [...new Set([samePath, sameName])].filter((found) => found !== undefined);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A bounded number: it is only a hint. */
function* nodesBelow(directory: DirectoryNode, seen = { count: 0 }): Generator<FileTreeNode> {
  for (const child of directory.children.values()) {
    if (++seen.count > maxLooked) return;
    yield child;
    if (child.kind === "directory") yield* nodesBelow(child, seen);
  }
}
