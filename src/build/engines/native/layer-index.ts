import type { Readable } from "node:stream";
import { decompress } from "../../../archive/compression.js";
import { safeEntryPath } from "../../../archive/entry-path.js";
import type { TarEntryType } from "../../../archive/tar-header.js";
import { readTar } from "../../../archive/tar-reader.js";
import { emptyDirectory, type ImageTree, type StoredLayer, type TreeNode } from "./image-tree.js";

/** An entry of a layer, without its content. */
export interface IndexEntry {
  /** Without a leading slash; "" is the root. */
  readonly path: string;
  readonly type: TarEntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly linkname?: string;
}

/**
 * Reads through a layer and keeps what it says about its files; the content passes by. `onBytes` is told the
 * bytes that came since the last call.
 */
export async function indexLayer(
  { store, descriptor }: StoredLayer,
  onBytes: (bytes: number) => void,
): Promise<readonly IndexEntry[]> {
  const entries: IndexEntry[] = [];
  const blob = await store.readBlob(descriptor);
  for await (const { header } of readTar(decompress(counted(blob, onBytes)))) {
    const { name, type, mode, uid, gid, size, linkname } = header;
    entries.push({
      path: layerPath(name),
      type,
      mode,
      uid,
      gid,
      size,
      ...(linkname === undefined ? {} : { linkname }),
    });
  }
  return entries;
}

async function* counted(stream: Readable, onBytes: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    onBytes((chunk as Uint8Array).length);
    yield chunk as Uint8Array;
  }
}

/** A few old tools write absolute names; they mean the image's root. @throws WerfError `archive/path-outside` */
export function layerPath(name: string): string {
  return safeEntryPath(name.replace(/^\/+/, ""));
}

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";

/**
 * Puts a layer on top of what lies below. Whiteouts hide what is below, never what the same layer brings.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
 */
export function applyLayer(tree: ImageTree, entries: readonly IndexEntry[], layer: StoredLayer): void {
  for (const { path } of entries) {
    const slash = path.lastIndexOf("/");
    const directory = path.slice(0, Math.max(slash, 0));
    const name = path.slice(slash + 1);
    if (!name.startsWith(whiteout)) continue;
    if (name === opaque) {
      const { node } = tree.resolve(directory);
      if (node?.kind === "directory") node.children.clear();
    } else if (!name.startsWith(`${whiteout}${whiteout}`)) {
      tree.remove(`${directory}/${name.slice(whiteout.length)}`);
    }
  }
  for (const entry of entries) {
    const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
    if (name.startsWith(whiteout)) continue;
    const node = nodeOf(tree, entry, layer);
    if (node !== undefined) tree.put(entry.path, node);
  }
}

function nodeOf(tree: ImageTree, entry: IndexEntry, layer: StoredLayer): TreeNode | undefined {
  const { mode, uid, gid, size } = entry;
  switch (entry.type) {
    case "directory":
      return { ...emptyDirectory(), mode, uid, gid };
    case "file":
      return { kind: "file", mode, uid, gid, size, content: { kind: "layer", layer, path: entry.path } };
    case "symlink":
      return { kind: "symlink", mode, uid, gid, target: entry.linkname ?? "" };
    case "hardlink":
      return tree.resolve(entry.linkname ?? "", false).node;
    case "character-device":
    case "block-device":
    case "fifo":
      return { kind: "special", mode, uid, gid };
  }
}
