import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileSource } from "../../archive/byte-source.js";
import { decompress, detectCompression } from "../../archive/compression.js";
import { safeEntryPath } from "../../archive/entry-path.js";
import { readTarSource } from "../../archive/tar-reader.js";
import { isWerfError, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import type { Digest } from "../digest.js";
import { type BlobSpace, blobPath } from "./blob-space.js";
import { checkLayoutFile, layoutFileName, maxLayoutFileBytes, notALayout } from "./layout-file.js";
import { indexFileName, LayoutIndex, maxIndexBytes } from "./layout-index.js";
import { LayoutStore } from "./layout-store.js";

/** Where a file lies in a tar archive, in bytes. */
interface Range {
  readonly offset: number;
  readonly size: number;
}

const readBytes = 256 * 1024;

/**
 * Opens an OCI image layout in a tar file to read from, `archive:FILE`. Nothing is extracted: the headers are read
 * once, then the ranges that are asked for. What is gzip or zstd is decompressed into a temporary file first.
 * @throws WerfError `archive/not-tar`, `archive/truncated`, `archive/corrupt`, `archive/bomb`, `archive/path-outside`,
 *   `archive/limit`, `oci/archive-missing`, `oci/layout-invalid`, `oci/manifest-invalid`
 */
export async function openLayoutTar(run: RunContext, file: string): Promise<LayoutStore> {
  const place = resolve(run.cwd, file);
  const address = `archive:${file}`;
  try {
    const tar = await openUncompressed(run, place, address);
    try {
      const ranges = await indexTar(tar);
      const blobs = new TarBlobs(tar, ranges);
      checkLayoutFile(await readPart(tar, ranges, layoutFileName, maxLayoutFileBytes, address), address);
      const bytes = await readPart(tar, ranges, indexFileName, maxIndexBytes, address);
      const current = LayoutIndex.parse(bytes, `${address}: ${indexFileName}`);
      return new LayoutStore({ address, place, blobs, index: { current } }, () => tar.close());
    } catch (error) {
      await tar.close();
      throw error;
    }
  } catch (error) {
    if (!isWerfError(error) || !error.code.startsWith("archive/")) throw error;
    const { code, message, hint } = error;
    throw new WerfError(code, `reading ${address}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  }
}

async function openUncompressed(run: RunContext, place: string, address: string): Promise<FileHandle> {
  const file = await openFile(place, address);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  if (detectCompression(buffer.subarray(0, bytesRead)) === "none") return file;
  await file.close();
  const plain = join(await run.tmp(), "layout.tar");
  await pipeline(
    createReadStream(place, { highWaterMark: readBytes }),
    decompress,
    createWriteStream(plain),
    {
      signal: run.signal,
    },
  );
  return open(plain);
}

async function openFile(place: string, address: string): Promise<FileHandle> {
  try {
    return await open(place);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new WerfError("oci/archive-missing", `${address} can't be read: there is no file ${place}`, {
      hint: "check the path; it starts from the current directory",
      cause,
    });
  }
}

/** The files of the archive by path; of two with one path the later counts, as it does for tar. */
async function indexTar(tar: FileHandle): Promise<ReadonlyMap<string, Range>> {
  const { size: fileSize } = await tar.stat();
  const ranges = new Map<string, Range>();
  for await (const { header, offset } of readTarSource(fileSource(tar, fileSize))) {
    const path = safeEntryPath(header.name);
    // Links are never followed: a blob that is one counts as missing.
    if (header.type === "file") ranges.set(path, { offset, size: header.size });
    else if (header.type !== "directory") ranges.delete(path);
  }
  return ranges;
}

async function readPart(
  tar: FileHandle,
  ranges: ReadonlyMap<string, Range>,
  name: string,
  limit: number,
  address: string,
): Promise<Uint8Array> {
  const range = ranges.get(name);
  if (range === undefined) throw notALayout(address, name);
  if (range.size > limit) {
    throw new WerfError(
      "oci/layout-invalid",
      `${address}: ${name} has ${range.size} bytes; at most ${limit} are read`,
    );
  }
  return wholeOf(tar, range);
}

async function wholeOf(tar: FileHandle, { offset, size }: Range): Promise<Uint8Array> {
  const { bytesRead, buffer } = await tar.read(Buffer.alloc(size), 0, size, offset);
  return buffer.subarray(0, bytesRead);
}

async function* rangeOf(tar: FileHandle, { offset, size }: Range): AsyncGenerator<Buffer, void, undefined> {
  let at = 0;
  while (at < size) {
    const length = Math.min(readBytes, size - at);
    const { bytesRead, buffer } = await tar.read(Buffer.allocUnsafe(length), 0, length, offset + at);
    // A file that was cut meanwhile: whoever verifies the bytes says so.
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

class TarBlobs implements BlobSpace {
  readonly #tar: FileHandle;
  readonly #ranges: ReadonlyMap<string, Range>;

  constructor(tar: FileHandle, ranges: ReadonlyMap<string, Range>) {
    this.#tar = tar;
    this.#ranges = ranges;
  }

  async sizeOf(digest: Digest): Promise<number | undefined> {
    return this.#ranges.get(blobPath(digest))?.size;
  }

  read(digest: Digest): Readable {
    return Readable.from(rangeOf(this.#tar, this.#rangeOf(digest)), { objectMode: false });
  }

  readWhole(digest: Digest): Promise<Uint8Array> {
    return wholeOf(this.#tar, this.#rangeOf(digest));
  }

  #rangeOf(digest: Digest): Range {
    return this.#ranges.get(blobPath(digest)) ?? { offset: 0, size: 0 };
  }
}
