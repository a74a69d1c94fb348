import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { isWerfError, messageOf, WerfError } from "../core/errors.js";
import { BombGuard, type ByteStream, type DecompressionLimits, truncatedStream } from "./bomb-guard.js";
import { asBuffer } from "./byte-source.js";

export type Compression = "gzip" | "zstd" | "none";

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
