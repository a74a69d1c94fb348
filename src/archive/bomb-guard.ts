import type { Readable } from "node:stream";
import { WerfError } from "../core/errors.js";
import { asBuffer } from "./byte-source.js";

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

export function truncatedStream(what: string, cause?: unknown): WerfError {
  return new WerfError("archive/truncated", `the ${what} stream ends before its end`, {
    hint: "the file is incomplete: fetch or write it again",
    cause,
  });
}
