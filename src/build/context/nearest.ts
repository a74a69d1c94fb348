import type { DirectoryNode, FileTreeNode } from "./file-tree.js";

const maxNames = 3;
const maxLooked = 20_000;

/** Up to three paths that a person may have meant: nearly the same name, or the same name elsewhere. */
export function nearestNames(root: DirectoryNode, path: string): string[] {
  const wanted = path.toLowerCase();
  const wantedName = wanted.slice(wanted.lastIndexOf("/") + 1);
  const allowed = Math.max(1, Math.floor(wantedName.length / 4));
  const found: { readonly path: string; readonly distance: number }[] = [];
  let looked = 0;
  for (const node of nodesBelow(root)) {
    if (++looked > maxLooked) break;
    const here = node.path.toLowerCase();
    const name = here.slice(here.lastIndexOf("/") + 1);
    const distance = Math.min(
      editDistance(wanted, here, allowed),
      editDistance(wantedName, name, allowed) + 0.5,
    );
    if (distance <= allowed + 0.5) found.push({ path: node.path, distance });
  }
  found.sort((a, b) => a.distance - b.distance || a.path.length - b.path.length);
  return found.slice(0, maxNames).map((candidate) => candidate.path);
}

function* nodesBelow(directory: DirectoryNode): Generator<FileTreeNode> {
  for (const child of directory.children.values()) {
    yield child;
    if (child.kind === "directory") yield* nodesBelow(child);
  }
}

/** Levenshtein's distance; anything above `limit` counts as `Infinity`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  const distance = row[b.length] ?? 0;
  return distance <= limit ? distance : Number.POSITIVE_INFINITY;
}
