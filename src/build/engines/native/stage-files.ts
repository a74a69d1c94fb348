import { mapConcurrently } from "../../../core/concurrency.js";
import { WerfError } from "../../../core/errors.js";
import type { SourcePosition } from "../../dockerfile/instruction.js";
import type { LayerEntry } from "../../layer/entry.js";
import { type FileNode, ImageTree, type StoredLayer, type TreeNode } from "./image-tree.js";
import type { LayerContents } from "./layer-contents.js";
import { applyLayer } from "./layer-index.js";
import type { LayerIndexes } from "./layer-index-cache.js";

const layersAtOnce = 4;

/** What every stage of one build shares. */
export interface ImageReader {
  readonly indexes: LayerIndexes;
  readonly contents: LayerContents;
  /** Of the build, for those who watch. */
  readonly task?: string;
}

type Part =
  | { readonly kind: "stored"; readonly layer: StoredLayer }
  | { readonly kind: "own"; readonly entries: readonly LayerEntry[] };

/** The layers of a stage, from below, and the files they make together; base layers are read only when asked. */
export class StageFiles {
  readonly #reader: ImageReader;
  readonly #parts: Part[];
  #tree: Promise<ImageTree> | undefined;

  constructor(reader: ImageReader, parts: readonly Part[] = []) {
    this.#reader = reader;
    this.#parts = [...parts];
  }

  static ofLayers(reader: ImageReader, layers: readonly StoredLayer[]): StageFiles {
    return new StageFiles(
      reader,
      layers.map((layer) => ({ kind: "stored", layer })),
    );
  }

  /** For a stage FROM this one. */
  copy(): StageFiles {
    return new StageFiles(this.#reader, this.#parts);
  }

  tree(): Promise<ImageTree> {
    this.#tree ??= this.#merge();
    return this.#tree;
  }

  /** A layer more, whose entries are in the tree already. */
  add(entries: readonly LayerEntry[]): void {
    this.#parts.push({ kind: "own", entries });
  }

  /** The text of a small file; `undefined` when there is none. */
  async readText(path: string, limit: number): Promise<string | undefined> {
    const { node } = (await this.tree()).resolve(path);
    if (node?.kind !== "file") return undefined;
    if (node.size > limit)
      throw new WerfError(
        "build/file-too-large",
        `/${path} has ${node.size} bytes; at most ${limit} are read`,
      );
    await this.#reader.contents.prepare([node]);
    const chunks: Buffer[] = [];
    for await (const chunk of await this.#reader.contents.open(node)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString("utf8");
  }

  /** Entries for a node and all below it, with paths that begin at `path`; contents are made ready. */
  async entriesOf(path: string, top: TreeNode, position: SourcePosition): Promise<readonly LayerEntry[]> {
    const entries: LayerEntry[] = [];
    const files: FileNode[] = [];
    const { contents } = this.#reader;
    const visit = (at: string, node: TreeNode): void => {
      const { mode, uid, gid } = node;
      const facts = { path: at, mode, uid, gid };
      switch (node.kind) {
        case "directory":
          if (at !== "") entries.push({ ...facts, kind: "directory" });
          for (const [name, child] of node.children) visit(at === "" ? name : `${at}/${name}`, child);
          return;
        case "file":
          files.push(node);
          entries.push({ ...facts, kind: "file", size: node.size, open: () => contents.open(node) });
          return;
        case "symlink":
          entries.push({ ...facts, kind: "symlink", target: node.target });
          return;
        case "special":
          throw new WerfError(
            "build/native-special-file",
            `${position.file}:${position.line}: "${at}" is a device or a pipe, which the native builder doesn't copy`,
            { hint: "leave it out of the copy, or use another builder: --builder buildah" },
          );
      }
    };
    visit(path, top);
    await contents.prepare(files);
    return entries;
  }

  async #merge(): Promise<ImageTree> {
    const { indexes, task } = this.#reader;
    const stored = this.#parts.flatMap((part) => (part.kind === "stored" ? [part.layer] : []));
    await mapConcurrently(stored, layersAtOnce, (layer) => indexes.of(layer, task));
    const tree = new ImageTree();
    for (const part of this.#parts) {
      if (part.kind === "stored") applyLayer(tree, await indexes.of(part.layer), part.layer);
      else for (const entry of part.entries) tree.put(entry.path, nodeOfEntry(entry));
    }
    return tree;
  }
}

/** How an entry of our own layers stands in the tree. */
export function nodeOfEntry(entry: LayerEntry): TreeNode {
  const { mode, uid, gid } = entry;
  switch (entry.kind) {
    case "directory":
      return { kind: "directory", mode, uid, gid, children: new Map() };
    case "file":
      return {
        kind: "file",
        mode,
        uid,
        gid,
        size: entry.size,
        content: { kind: "open", open: () => entry.open() },
      };
    case "symlink":
      return { kind: "symlink", mode, uid, gid, target: entry.target };
  }
}
