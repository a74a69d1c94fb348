import { posix } from "node:path";
import { Readable } from "node:stream";
import { WerfError } from "../../../core/errors.js";
import { didYouMean } from "../../../core/suggest.js";
import type { TreeEntry } from "../../../git/repository.js";
import type { BuildContext } from "../../context/context.js";
import { hasWildcard, namePattern, unescaped } from "../../context/pattern.js";
import { matchSources } from "../../context/sources.js";
import type { HeredocFile, SourcePosition } from "../../dockerfile/instruction.js";
import type { LayerEntry } from "../../layer/entry.js";
import {
  type DirectoryNode,
  defaultDirectoryMode,
  type ImageTree,
  join,
  type Ownership,
} from "./image-tree.js";
import type { StageFiles } from "./stage-files.js";

/** One thing that is copied. Paths of entries are relative: to the directory, or the name of the file alone. */
export interface CopySource {
  readonly kind: "file" | "directory";
  readonly name: string;
  readonly entries: readonly LayerEntry[];
  /** Of the directory itself, when the copy makes it. */
  readonly mode: number;
  /** The same; absent: root. */
  readonly owner?: Ownership;
}

/** From the files of the commit: 0644 or 0755 as git has it, owned by root. */
export async function contextSources(
  context: BuildContext,
  sources: readonly string[],
  position: SourcePosition,
): Promise<readonly CopySource[]> {
  const matched = await matchSources(context, sources, position);
  return Promise.all(
    matched.map(async ({ kind, path, files }) => {
      const entries = files.map(({ entry, relative }) => contextEntry(context, entry, relative));
      return {
        kind,
        name: posix.basename(path),
        entries: await Promise.all(entries),
        mode: defaultDirectoryMode,
      };
    }),
  );
}

async function contextEntry(context: BuildContext, entry: TreeEntry, path: string): Promise<LayerEntry> {
  const owner = { uid: 0, gid: 0 };
  if (entry.mode === "120000") {
    const chunks: Buffer[] = [];
    for await (const chunk of await context.open(entry)) chunks.push(chunk as Buffer);
    return { kind: "symlink", path, mode: 0o777, ...owner, target: Buffer.concat(chunks).toString("utf8") };
  }
  const mode = entry.mode === "100755" ? 0o755 : 0o644;
  return { kind: "file", path, mode, ...owner, size: entry.size, open: () => context.open(entry) };
}

export function heredocSources(heredocs: readonly HeredocFile[]): readonly CopySource[] {
  return heredocs.map(({ name, content }) => {
    const bytes = Buffer.from(content);
    const open = async (): Promise<Readable> => Readable.from([bytes]);
    const entry: LayerEntry = {
      kind: "file",
      path: name,
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: bytes.length,
      open,
    };
    return { kind: "file", name, entries: [entry], mode: defaultDirectoryMode };
  });
}

/**
 * From another stage or image: modes and owners stay; a link that a source names is followed, links below a
 * directory stay links.
 * @throws WerfError `build/copy-source-missing`
 */
export async function imageSources(
  files: StageFiles,
  sources: readonly string[],
  facts: { readonly position: SourcePosition; readonly from: string },
): Promise<readonly CopySource[]> {
  const tree = await files.tree();
  const found: CopySource[] = [];
  for (const source of sources) {
    for (const path of candidates(tree, source, facts.position)) {
      const { node } = tree.resolve(path);
      if (node === undefined) throw missing(tree, source, facts);
      const name = posix.basename(`/${path}`);
      const kind = node.kind === "directory" ? "directory" : "file";
      const entries = await files.entriesOf(kind === "directory" ? "" : name, node, facts.position);
      found.push({ kind, name, entries, mode: node.mode });
    }
  }
  const [first] = sources;
  if (found.length === 0 && first !== undefined) throw missing(tree, first, facts);
  return found;
}

/** The paths that a source may mean; a pattern may mean none. */
function candidates(tree: ImageTree, source: string, position: SourcePosition): readonly string[] {
  const parts = posix
    .normalize(`/${source}`)
    .split("/")
    .filter((part) => part !== "");
  const wild = parts.findIndex(hasWildcard);
  if (wild < 0) return [parts.map(unescaped).join("/")];
  let level = [parts.slice(0, wild).map(unescaped).join("/")];
  for (const part of parts.slice(wild)) {
    const matches = namePattern(part, position);
    level = level.flatMap((path) =>
      [...(directoryAt(tree, path)?.children.keys() ?? [])]
        .filter(matches)
        .sort()
        .map((name) => join(path, name)),
    );
  }
  return level;
}

function directoryAt(tree: ImageTree, path: string): DirectoryNode | undefined {
  const { node } = tree.resolve(path);
  return node?.kind === "directory" ? node : undefined;
}

function missing(
  tree: ImageTree,
  source: string,
  { position, from }: { readonly position: SourcePosition; readonly from: string },
): WerfError {
  const path = posix.normalize(`/${source}`).replace(/\/$/, "");
  if (tree.resolve(path, false).node?.kind === "symlink") {
    return new WerfError(
      "build/copy-source-missing",
      `${position.file}:${position.line}: "${source}" in ${from} is a link that leads nowhere`,
    );
  }
  const siblings = [...(directoryAt(tree, posix.dirname(path))?.children.keys() ?? [])];
  const guess = didYouMean(posix.basename(path), siblings);
  return new WerfError(
    "build/copy-source-missing",
    `${position.file}:${position.line}: "${source}" is not in ${from}${guess}`,
  );
}
