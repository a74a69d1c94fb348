import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { gzip } from "../../archive/gzip.js";
import { type TarHeader, type TarItem, writeTar } from "../../archive/tar-writer.js";
import { WerfError } from "../../core/errors.js";
import type { Digest } from "../../oci/digest.js";
import { mediaTypes } from "../../oci/media-types.js";
import type { BuiltLayer } from "../engines/engine.js";
import type { LayerEntry } from "./entry.js";

export interface LayerOptions {
  /** Where the layer's file is written, named by its digest; made when it isn't there. */
  readonly directory: string;
  /** A gzip or plain tar layer of OCI or Docker. */
  readonly mediaType: string;
  /** Seconds since 1970, of every entry. */
  readonly mtime: number;
}

/** Chunks of this size or more are passed on as they are; smaller ones are gathered, which zlib thanks. */
const gatherBytes = 64 * 1024;

/**
 * Writes a layer in one pass, with constant memory: tar, its digest (the diffId), compression, digest and file.
 * Entries stand in the layer in the order given; the same entries make the same diffId on every machine.
 * @throws WerfError `build/layer-type`, `archive/size-mismatch`, and what opening an entry throws
 */
export async function writeLayer(
  entries: AsyncIterable<LayerEntry> | Iterable<LayerEntry>,
  options: LayerOptions,
): Promise<BuiltLayer> {
  const compress = compressionOf(options.mediaType);
  await mkdir(options.directory, { recursive: true });
  const temporary = join(options.directory, `.${randomUUID()}.part`);
  const tar = new Meter();
  const file = new Meter();
  try {
    const archive = tar.measure(gather(writeTar(items(entries, options.mtime))));
    await pipeline(file.measure(compress(archive)), createWriteStream(temporary, { flags: "wx" }));
    const path = join(options.directory, file.digest.replace(":", "-"));
    await rename(temporary, path);
    return {
      descriptor: { mediaType: options.mediaType, digest: file.digest, size: file.bytes },
      diffId: tar.digest,
      content: {
        kind: "bytes",
        source: { length: file.bytes, open: () => createReadStream(path) },
      },
    };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

type Bytes = AsyncIterable<Uint8Array>;

function compressionOf(mediaType: string): (stream: Bytes) => Bytes {
  switch (mediaType) {
    case mediaTypes.ociLayerGzip:
    case mediaTypes.dockerLayerGzip:
      return gzip;
    case mediaTypes.ociLayer:
      return (stream) => stream;
    default:
      throw new WerfError("build/layer-type", `layers of type ${mediaType} can't be written`);
  }
}

async function* items(
  entries: AsyncIterable<LayerEntry> | Iterable<LayerEntry>,
  mtime: number,
): AsyncGenerator<TarItem, void, undefined> {
  for await (const entry of entries) {
    const { path, mode, uid, gid, kind } = entry;
    const header: TarHeader = { name: path, type: kind, mode, uid, gid, mtime, size: 0 };
    switch (kind) {
      case "file":
        yield { header: { ...header, size: entry.size }, content: () => entry.open() };
        break;
      case "symlink":
        yield { header: { ...header, linkname: entry.target } };
        break;
      case "directory":
        yield { header };
    }
  }
}

async function* gather(stream: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    parts.push(chunk);
    length += chunk.length;
    if (length < gatherBytes) continue;
    yield Buffer.concat(parts, length);
    parts = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(parts, length);
}

/** Counts and hashes what passes. */
class Meter {
  bytes = 0;
  readonly #hash = createHash("sha256");
  #digest: Digest | undefined;

  async *measure(stream: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of stream) {
      this.bytes += chunk.length;
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  /** Of everything that passed; asked for after the end. */
  get digest(): Digest {
    this.#digest ??= `sha256:${this.#hash.digest("hex")}`;
    return this.#digest;
  }
}
