import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { decompress } from "../../../archive/compression.js";
import { readTar, type TarEntry } from "../../../archive/tar-reader.js";
import { isWerfError, WerfError } from "../../../core/errors.js";
import type { SourcePosition } from "../../dockerfile/instruction.js";
import type { LayerEntry } from "../../layer/entry.js";
import type { Ownership } from "./image-tree.js";
import type { LayerContents } from "./layer-contents.js";
import { layerPath } from "./layer-index.js";

const foreign = [
  { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
] as const;

/** Names by which a plan can tell what `archiveEntries` would refuse. */
export const foreignArchiveName: RegExp = /\.(?:tar\.(?:bz2|xz|lzma)|tbz2?|txz|tlz)$/i;

export interface ArchiveContent {
  readonly entries: readonly LayerEntry[];
  /** Of the entry `./`: what the directory is like into which the archive is unpacked, when that is new. */
  readonly root?: Ownership & { readonly mode: number };
}

/**
 * What ADD makes of a local file: the entries of a tar archive (plain, gzip or zstd), or `undefined` when the
 * file is no archive and is copied as it is. Contents go to the scratch directory.
 * @throws WerfError `build/add-compression`, `archive/*` for a damaged or hostile archive
 */
export async function archiveEntries(
  open: () => Promise<Readable>,
  facts: { readonly name: string; readonly position: SourcePosition; readonly contents: LayerContents },
): Promise<ArchiveContent | undefined> {
  await refuseForeign(open, facts);
  const entries = new Map<string, LayerEntry>();
  let root: ArchiveContent["root"];
  let count = 0;
  try {
    for await (const entry of readTar(decompress(await open()))) {
      count++;
      const made = await layerEntry(entry, entries, facts);
      if (made.path !== "") entries.set(made.path, made);
      else if (made.kind === "directory") root = { mode: made.mode, uid: made.uid, gid: made.gid };
    }
  } catch (error) {
    // A file that doesn't begin like an archive is a file; one that breaks later is a damaged archive.
    if (count === 0 && isWerfError(error) && !error.code.startsWith("build/")) return undefined;
    throw error;
  }
  if (count === 0) return undefined;
  return { entries: [...entries.values()], ...(root === undefined ? {} : { root }) };
}

async function layerEntry(
  { header, content }: TarEntry,
  before: ReadonlyMap<string, LayerEntry>,
  { name, position, contents }: { name: string; position: SourcePosition; contents: LayerContents },
): Promise<LayerEntry> {
  const { type, mode, uid, gid, size, linkname = "" } = header;
  const path = layerPath(header.name);
  const entry = { path, mode, uid, gid };
  switch (type) {
    case "directory":
      return { ...entry, kind: "directory" };
    case "symlink":
      return { ...entry, kind: "symlink", target: linkname };
    case "file": {
      const file = await contents.newFile();
      await pipeline(Readable.from(content), createWriteStream(file, { flags: "wx" }));
      return { ...entry, kind: "file", size, open: async () => createReadStream(file) };
    }
    case "hardlink": {
      const target = before.get(layerPath(linkname));
      if (target !== undefined && target.kind !== "directory") return { ...target, path };
      break;
    }
    case "character-device":
    case "block-device":
    case "fifo":
      break;
  }
  throw new WerfError(
    "build/native-special-file",
    `${position.file}:${position.line}: ${name} has a ${type} "${path}", which the native builder doesn't add`,
    { hint: "use another builder: --builder buildah" },
  );
}

async function refuseForeign(
  open: () => Promise<Readable>,
  { name, position }: { name: string; position: SourcePosition },
): Promise<void> {
  const beginning: number[] = [];
  for await (const chunk of await open()) {
    beginning.push(...(chunk as Buffer).subarray(0, 6 - beginning.length));
    if (beginning.length >= 6) break;
  }
  const found = foreign.find(({ magic }) => magic.every((byte, i) => beginning[i] === byte));
  if (found === undefined) return;
  throw new WerfError(
    "build/add-compression",
    `${position.file}:${position.line}: ${name} is compressed with ${found.name}, which the native builder doesn't unpack`,
    { hint: "compress it with gzip or zstd, copy it with COPY, or use another builder: --builder buildah" },
  );
}
