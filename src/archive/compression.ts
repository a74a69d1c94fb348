import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { isWerfError, messageOf, WerfError } from "../core/errors.js";
import { asBuffer } from "./byte-source.js";

export type Compression = "gzip" | "zstd" | "none";

/** What decompressing may make out of a stream; without these a few kilobytes fill a disk. */
export interface DecompressionLimits {
  /** Bytes that come out; default 256 GiB. */
  readonly maxBytes?: number;
  /** Bytes out per byte in, looked at from 64 MiB on; default 20,000 (gzip can't exceed 1,032). */
  readonly maxRatio?: number;
}

export type ByteStream = Readable | AsyncIterable<Uint8Array | string>;

const defaults = { maxBytes: 256 * 1024 ** 3, maxRatio: 20_000 };
const ratioFrom = 64 * 1024 * 1024;

/** Longest beginning that `detectCompression` looks at, in bytes. */
const magicBytes = 4;

/** Tells a compression by its first bytes: RFC 1952 2.3.1, RFC 8878 3.1.1 and 3.1.2 (skippable frames). */
export function detectCompression(beginning: Uint8Array): Compression {
  const [a, b, c, d] = beginning;
  if (a === 0x1f && b === 0x8b) return "gzip";
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "zstd";
  if (a !== undefined && a >> 4 === 5 && b === 0x2a && c === 0x4d && d === 0x18) return "zstd";
  return "none";
}

/**
 * Decompresses what is gzip or zstd, by its first bytes, and passes on what is neither.
 * @throws WerfError `archive/bomb`, `archive/corrupt`, `archive/truncated`
 */
export async function* decompress(
  stream: ByteStream,
  limits: DecompressionLimits = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { beginning, all } = await peek(stream, magicBytes);
  switch (detectCompression(beginning)) {
    case "gzip":
      yield* gunzip(all, limits);
      return;
    case "zstd": {
      const { unzstd } = await import("./zstd.js");
      yield* unzstd(all, limits);
      return;
    }
    case "none":
      yield* all;
  }
}

/** The first `length` bytes (fewer when there are no more) and a stream of everything, those included. */
async function peek(
  stream: ByteStream,
  length: number,
): Promise<{ beginning: Buffer; all: AsyncGenerator<Buffer, void, undefined> }> {
  const chunks = (stream as AsyncIterable<Uint8Array | string>)[Symbol.asyncIterator]();
  let beginning: Buffer = Buffer.alloc(0);
  while (beginning.length < length) {
    const next = await chunks.next();
    if (next.done === true) break;
    beginning = Buffer.concat([beginning, asBuffer(next.value)]);
  }
  async function* all(): AsyncGenerator<Buffer, void, undefined> {
    try {
      if (beginning.length > 0) yield beginning;
      for (;;) {
        const next = await chunks.next();
        if (next.done === true) return;
        yield asBuffer(next.value);
      }
    } finally {
      await chunks.return?.();
    }
  }
  return { beginning, all: all() };
}

/**
 * Decompresses gzip, members one after the other included.
 * @throws WerfError `archive/bomb`, `archive/corrupt`, `archive/truncated`
 */
export async function* gunzip(
  stream: ByteStream,
  limits: DecompressionLimits = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const guard = new BombGuard("gzip", limits);
  const engine = createGunzip();
  const feeding = pipeline(guard.input(stream), engine);
  // Its failure destroys the engine too, and comes out of the loop below.
  feeding.catch(() => undefined);
  try {
    for await (const chunk of engine) {
      guard.output(chunk as Buffer);
      yield chunk as Buffer;
    }
    await feeding;
  } catch (error) {
    throw decompressionError("gzip", error);
  } finally {
    engine.destroy();
  }
}

function decompressionError(what: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (isWerfError(error) || typeof code !== "string" || !code.startsWith("Z_")) return error;
  if (code === "Z_BUF_ERROR") return truncatedStream(what, error);
  return new WerfError("archive/corrupt", `the ${what} stream is damaged: ${messageOf(error)}`, {
    cause: error,
  });
}

export function truncatedStream(what: string, cause?: unknown): WerfError {
  return new WerfError("archive/truncated", `the ${what} stream ends before its end`, {
    hint: "the file is incomplete: fetch or write it again",
    cause,
  });
}

/** Counts what goes in and what comes out. */
export class BombGuard {
  readonly #what: string;
  readonly #maxBytes: number;
  readonly #maxRatio: number;
  #in = 0;
  #out = 0;

  constructor(what: string, limits: DecompressionLimits) {
    this.#what = what;
    this.#maxBytes = limits.maxBytes ?? defaults.maxBytes;
    this.#maxRatio = limits.maxRatio ?? defaults.maxRatio;
  }

  async *input(stream: ByteStream): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of stream as AsyncIterable<Uint8Array | string>) {
      const bytes = asBuffer(chunk);
      this.#in += bytes.length;
      yield bytes;
    }
  }

  /** @throws WerfError `archive/bomb` */
  output(chunk: Uint8Array): void {
    this.#out += chunk.length;
    if (this.#out > this.#maxBytes) throw this.#bomb(`more than ${this.#maxBytes} bytes`);
    if (this.#out > ratioFrom && this.#out > this.#in * this.#maxRatio)
      throw this.#bomb(`${this.#out} bytes from ${this.#in}`);
  }

  #bomb(what: string): WerfError {
    return new WerfError("archive/bomb", `the ${this.#what} stream decompresses to ${what}`, {
      hint: "it looks made to fill a disk; check where it comes from",
    });
  }
}
