import { pipeline } from "node:stream/promises";
import { crc32, createDeflateRaw } from "node:zlib";
import type { ByteStream } from "./bomb-guard.js";
import { asBuffer } from "./byte-source.js";

export interface GzipOptions {
  /** 1 (fast) to 9 (small); default 6. */
  readonly level?: number;
  /** RFC 1952 "extra field": its subfields as bytes. */
  readonly extra?: Uint8Array;
  /** RFC 1952 "file comment", Latin-1. */
  readonly comment?: string;
}

const flagExtra = 4;
const flagComment = 16;
const unknownSystem = 255;

/**
 * Compresses as one gzip member. The header is the same on every platform (no time, system "unknown"), and the
 * bytes don't depend on how the input is cut. They may differ between versions of zlib: promise the digest of
 * what went in, not of what comes out.
 */
export async function* gzip(
  stream: ByteStream,
  options: GzipOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const level = options.level ?? 6;
  yield encodeHeader(level, options);
  let checksum = 0;
  let size = 0;
  async function* measured(): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of stream as AsyncIterable<Uint8Array | string>) {
      const bytes = asBuffer(chunk);
      checksum = crc32(bytes, checksum);
      size += bytes.length;
      yield bytes;
    }
  }
  const engine = createDeflateRaw({ level });
  const feeding = pipeline(measured(), engine);
  // Its failure destroys the engine too, and comes out of the loop below.
  feeding.catch(() => undefined);
  try {
    for await (const chunk of engine) yield chunk as Buffer;
    await feeding;
  } finally {
    engine.destroy();
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield trailer;
}

/** RFC 1952, 2.3: magic, deflate, flags, no time, hint of the level, system, then the optional fields. */
function encodeHeader(level: number, { extra, comment }: GzipOptions): Uint8Array {
  const flags = (extra === undefined ? 0 : flagExtra) | (comment === undefined ? 0 : flagComment);
  const speed = level === 9 ? 2 : level === 1 ? 4 : 0;
  const parts: Uint8Array[] = [Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, speed, unknownSystem])];
  if (extra !== undefined) {
    const length = Buffer.alloc(2);
    length.writeUInt16LE(extra.length);
    parts.push(length, extra);
  }
  if (comment !== undefined) parts.push(Buffer.from(`${comment}\0`, "latin1"));
  return Buffer.concat(parts);
}
