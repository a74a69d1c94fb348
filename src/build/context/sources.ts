import { posix } from "node:path";
import { WerfError } from "../../core/errors.js";
import type { TreeEntry } from "../../git/repository.js";
import type { BuildContext } from "./context.js";
import { type DirectoryNode, type FileTreeNode, filesBelow, fileTree, resolvePath } from "./file-tree.js";
import { nearestNames } from "./nearest.js";
import { hasWildcard, namePattern, unescaped } from "./pattern.js";

/** One path that a source of COPY or ADD leads to. */
export interface MatchedSource {
  /** As written in the instruction. */
  readonly source: string;
  /** The path in the context that matched; "" is the context itself. */
  readonly path: string;
  /** What is copied of a directory is its content. */
  readonly kind: "file" | "directory";
  /** `relative`: to the directory; of a file, the last part of the path that matched. */
  readonly files: readonly { readonly entry: TreeEntry; readonly relative: string }[];
}

interface Position {
  readonly file: string;
  readonly line: number;
}

/**
 * Finds the files that the sources of a COPY or ADD name, as BuildKit does: patterns of Go's filepath.Match,
 * a link that a source leads over is followed inside the context, links below a directory stay links. A
 * pattern may match nothing as long as another source of the instruction matches.
 * @throws WerfError `build/copy-outside-context`, `build/copy-source-missing`, `build/copy-pattern-invalid`,
 * `build/submodule`
 */
export async function matchSources(
  context: BuildContext,
  sources: readonly string[],
  at: Position,
): Promise<MatchedSource[]> {
  const root = fileTree(context.files);
  const readLink = (entry: TreeEntry): Promise<string> => readText(context, entry);
  const matched: MatchedSource[] = [];
  for (const source of sources) {
    const path = cleanSource(source, at);
    for (const candidate of await candidates(root, path, readLink, at)) {
      const node = await resolvePath(root, candidate, readLink);
      if (node === undefined) throw missing(context, root, source, candidate, at);
      matched.push(matchedSource(source, candidate, node, at));
    }
  }
  const [first] = sources;
  if (matched.length === 0 && first !== undefined) {
    throw missing(context, root, first, cleanSource(first, at), at);
  }
  return matched;
}

/** Whether a source names this path, or a directory above it; for paths that no commit has. */
export function sourceNames(source: string, path: string): boolean {
  const parts = posix
    .normalize(`/${source}`)
    .split("/")
    .filter((part) => part !== "");
  const names = path.split("/");
  return (
    parts.length <= names.length &&
    parts.every((part, i) =>
      hasWildcard(part) ? namePattern(part)(names[i] ?? "") : unescaped(part) === names[i],
    )
  );
}

/** Relative to the context, without `.`, `..` and slashes around it. */
function cleanSource(source: string, at: Position): string {
  const relative = posix.normalize(source.replace(/^\/+/, "") || ".");
  if (relative === ".." || relative.startsWith("../")) {
    throw new WerfError(
      "build/copy-outside-context",
      `${at.file}:${at.line}: "${source}" leads out of the build context`,
      {
        hint: "sources are paths of the context: set `context` in werf.yaml to a directory that has both",
      },
    );
  }
  return relative === "." ? "" : relative.replace(/\/$/, "");
}

/** The paths that a source may mean: itself, or what its pattern finds. */
async function candidates(
  root: DirectoryNode,
  path: string,
  readLink: (entry: TreeEntry) => Promise<string>,
  at: Position,
): Promise<string[]> {
  const parts = path === "" ? [] : path.split("/");
  const wild = parts.findIndex(hasWildcard);
  if (wild === -1) return [parts.map(unescaped).join("/")];
  const patterns = parts.slice(wild).map((part) => namePattern(part, at));
  const start = parts.slice(0, wild).map(unescaped).join("/");
  const directory = await resolvePath(root, start, readLink);
  if (directory === undefined) return [];
  let level: { readonly path: string; readonly node: FileTreeNode }[] = [{ path: start, node: directory }];
  for (const matches of patterns) {
    level = level.flatMap(({ path: above, node }) =>
      (node.kind === "directory" ? [...node.children] : [])
        .filter(([name]) => matches(name))
        .map(([name, child]) => ({ path: above === "" ? name : `${above}/${name}`, node: child })),
    );
  }
  return level.map(({ path: found }) => found);
}

function matchedSource(source: string, path: string, node: FileTreeNode, at: Position): MatchedSource {
  const prefix = node.kind === "directory" && node.path !== "" ? node.path.length + 1 : 0;
  const files =
    node.kind === "file"
      ? [{ entry: node.entry, relative: posix.basename(path) }]
      : [...filesBelow(node)].map(({ entry }) => ({ entry, relative: entry.path.slice(prefix) }));
  const submodule = files.find(({ entry }) => entry.mode === "160000");
  if (submodule === undefined) return { source, path, kind: node.kind, files };
  throw new WerfError(
    "build/submodule",
    `${at.file}:${at.line}: "${source}" includes the git submodule ${submodule.entry.path}, whose files are not in this repository's commit`,
    {
      hint: `hide it in .dockerignore ("${submodule.entry.path}"), or copy its files into the repository`,
    },
  );
}

async function readText(context: BuildContext, entry: TreeEntry): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await context.open(entry)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function missing(
  context: BuildContext,
  root: DirectoryNode,
  source: string,
  path: string,
  at: Position,
): WerfError {
  return new WerfError(
    "build/copy-source-missing",
    `${at.file}:${at.line}: "${source}" is not in the build context`,
    { hint: whyMissing(context, root, path) },
  );
}

function whyMissing(context: BuildContext, root: DirectoryNode, path: string): string {
  const { ignored } = context;
  const hidden = [...(ignored?.paths ?? [])].find((name) => sourceNames(path, name));
  if (ignored !== undefined && hidden !== undefined)
    return `${ignored.by} hides ${hidden}: add "!${hidden}" to it`;
  const near = nearestNames(root, path);
  return near.length === 0
    ? "what is built comes from the commit: is the file committed, and does `context` in werf.yaml have it?"
    : `did you mean ${near.map((name) => `"${name}"`).join(" or ")}? (only committed files are built)`;
}
