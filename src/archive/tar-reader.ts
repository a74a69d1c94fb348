import { WerfError } from "../core/errors.js";
import { type ByteSource, streamSource } from "./byte-source.js";
import { applyPaxRecords, decodeBlock, hasValidChecksum, headerOf, type TarBlock } from "./tar-block.js";
import { blockSize, paddingOf, type TarHeader } from "./tar-header.js";

/** What a hostile archive can't exceed. */
export interface TarLimits {
  /** Entries; default 2,000,000. */
  readonly entries?: number;
  /** Bytes of one pax header; default 1 MiB. */
  readonly paxBytes?: number;
  /** Bytes of a name or link target; default 8,192. */
  readonly nameBytes?: number;
}

export interface TarEntry {
  readonly header: TarHeader;
  /** Where the content begins, in bytes from the start of the (uncompressed) archive. */
  readonly offset: number;
  /** Read at most once, and before the next entry is asked for; what isn't read is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

const defaults = { entries: 2_000_000, paxBytes: 1024 * 1024, nameBytes: 8192 };
const chunkBytes = 256 * 1024;

/**
 * Reads a tar archive: ustar, pax, GNU long names and base-256 numbers, and the older forms. The stream is read to
 * its end, so that what verifies it on its way does so. Names are given as they stand: see `safeEntryPath`.
 * @throws WerfError `archive/not-tar`, `archive/truncated`, `archive/corrupt`, `archive/limit`,
 *   `archive/unsupported-entry`
 */
export async function* readTar(
  stream: AsyncIterable<Uint8Array | string>,
  limits: TarLimits = {},
): AsyncGenerator<TarEntry, void, undefined> {
  const source = streamSource(stream);
  try {
    yield* readTarSource(source, limits);
    while ((await source.readSome(chunkBytes)).length > 0);
  } finally {
    await source.close();
  }
}

/** Like `readTar`, from any source; it stops at the end-of-archive mark. */
export async function* readTarSource(
  source: ByteSource,
  limits: TarLimits = {},
): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new HeaderReader(source, { ...defaults, ...limits });
  for (;;) {
    const header = await reader.next();
    if (header === undefined) return;
    const content = new EntryContent(source, header);
    yield { header, offset: source.position, content };
    await content.finish();
  }
}

/** The content of the current entry; it knows what is left of it. */
class EntryContent implements AsyncIterable<Uint8Array> {
  readonly #source: ByteSource;
  readonly #header: TarHeader;
  #left: number;
  #passed = false;

  constructor(source: ByteSource, header: TarHeader) {
    this.#source = source;
    this.#header = header;
    this.#left = header.size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      if (this.#passed)
        throw new Error(`the content of "${this.#header.name}" was asked for after the next entry`);
      if (this.#left === 0) return;
      const chunk = await this.#source.readSome(Math.min(this.#left, chunkBytes));
      if (chunk.length === 0) throw truncated(this.#header.name);
      this.#left -= chunk.length;
      yield chunk;
    }
  }

  async finish(): Promise<void> {
    this.#passed = true;
    const rest = this.#left + paddingOf(this.#header.size);
    this.#left = 0;
    if ((await this.#source.skip(rest)) < rest) throw truncated(this.#header.name);
  }
}

type Limits = Required<TarLimits>;

class HeaderReader {
  readonly #source: ByteSource;
  readonly #limits: Limits;
  readonly #global = new Map<string, string>();
  #entries = 0;
  #last = "";

  constructor(source: ByteSource, limits: Limits) {
    this.#source = source;
    this.#limits = limits;
  }

  /** The next entry's header, extensions applied; undefined at the end-of-archive mark. */
  async next(): Promise<TarHeader | undefined> {
    let records: ReadonlyMap<string, string> = this.#global;
    let name: string | undefined;
    let linkname: string | undefined;
    for (;;) {
      const block = await this.#block();
      if (block === undefined) return undefined;
      switch (block.typeFlag) {
        case "g":
          applyPaxRecords(
            await this.#body(block, this.#limits.paxBytes),
            this.#global,
            this.#source.position,
          );
          break;
        case "x":
        case "X": {
          const own = new Map(this.#global);
          applyPaxRecords(await this.#body(block, this.#limits.paxBytes), own, this.#source.position);
          records = own;
          break;
        }
        case "L":
          name = textOf(await this.#body(block, this.#limits.nameBytes + 1));
          break;
        case "K":
          linkname = textOf(await this.#body(block, this.#limits.nameBytes + 1));
          break;
        case "V":
          // GNU's volume label says nothing about files.
          break;
        default: {
          const overrides = {
            records,
            ...(name === undefined ? {} : { name }),
            ...(linkname === undefined ? {} : { linkname }),
          };
          return this.#checked(headerOf(block, overrides));
        }
      }
    }
  }

  async #block(): Promise<TarBlock | undefined> {
    const position = this.#source.position;
    const bytes = await this.#source.read(blockSize);
    if (position === 0 && (bytes.length < blockSize || !(isZero(bytes) || hasValidChecksum(bytes)))) {
      throw new WerfError("archive/not-tar", "it is no tar archive: it doesn't begin with a tar header", {
        hint: "check that the file is what its name says, and complete",
      });
    }
    if (bytes.length < blockSize) throw truncated(this.#last);
    if (isZero(bytes)) return this.#end(position);
    if (!hasValidChecksum(bytes)) {
      throw new WerfError(
        "archive/corrupt",
        `the tar header at byte ${position}, after "${this.#last}", has a wrong checksum`,
      );
    }
    const block = decodeBlock(bytes, position);
    this.#last = block.name;
    if (++this.#entries > this.#limits.entries)
      throw this.#beyond(`more than ${this.#limits.entries} entries`);
    return block;
  }

  /** Two zero blocks end an archive; some writers leave it at one. */
  async #end(position: number): Promise<undefined> {
    const second = await this.#source.read(blockSize);
    if (isZero(second)) return undefined;
    throw new WerfError(
      "archive/corrupt",
      `the tar archive has a single zero block at byte ${position}, and goes on`,
    );
  }

  async #body(block: TarBlock, limit: number): Promise<Buffer> {
    if (block.size > limit) throw this.#beyond(`an extended header of ${block.size} bytes`);
    const body = await this.#source.read(block.size);
    const padding = paddingOf(block.size);
    if (body.length < block.size || (await this.#source.skip(padding)) < padding) throw truncated(block.name);
    return body;
  }

  #checked(header: TarHeader): TarHeader {
    this.#last = header.name;
    for (const text of [header.name, header.linkname ?? ""]) {
      const length = Buffer.byteLength(text);
      if (length > this.#limits.nameBytes) throw this.#beyond(`a name of ${length} bytes`);
      if (text.includes("\0"))
        throw new WerfError("archive/corrupt", "the tar archive has a name with a NUL in it");
    }
    return header;
  }

  #beyond(what: string): WerfError {
    return new WerfError("archive/limit", `the tar archive has ${what} (at "${this.#last.slice(0, 300)}")`, {
      hint: "no archive of an image or a chart is like this; check where it comes from",
    });
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function textOf(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString("utf8", 0, end === -1 ? body.length : end);
}

function truncated(name: string): WerfError {
  const where = name === "" ? "before its first entry" : `in or after the entry "${name.slice(0, 300)}"`;
  return new WerfError("archive/truncated", `the tar archive ends ${where}`, {
    hint: "the file is incomplete: fetch or write it again",
  });
}
