import { Decompress } from "fzstd";
import { messageOf, WerfError } from "../core/errors.js";
import { BombGuard, type ByteStream, type DecompressionLimits, truncatedStream } from "./bomb-guard.js";
import { type ByteSource, streamSource } from "./byte-source.js";

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const maxBlockBytes = 128 * 1024;
/** What the zstd tool takes without being told to: `--long=27`. The decoder allocates as much as a frame asks for. */
const maxWindowBytes = 128 * 1024 * 1024;
const blockTypes = { raw: 0, rle: 1, compressed: 2 } as const;

/**
 * Decompresses zstd (RFC 8878), frames one after the other included. The decoder gets one block at a time, so that
 * memory is bounded by the window and one block. Checksums of frames are not verified: digests are.
 * @throws WerfError `archive/bomb`, `archive/corrupt`, `archive/truncated`
 */
export async function* unzstd(
  stream: ByteStream,
  limits: DecompressionLimits = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const guard = new BombGuard("zstd", limits);
  const source = streamSource(guard.input(stream));
  let decoded: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => void decoded.push(chunk));
  try {
    for await (const { piece, isEnd } of framePieces(source)) {
      decode(decoder, piece, isEnd);
      const ready = decoded;
      decoded = [];
      for (const chunk of ready) {
        guard.output(chunk);
        if (chunk.length > 0) yield chunk;
      }
    }
  } finally {
    await source.close();
  }
}

function decode(decoder: Decompress, piece: Uint8Array, isEnd: boolean): void {
  try {
    decoder.push(piece, isEnd);
  } catch (cause) {
    throw corrupt(messageOf(cause), cause);
  }
}

interface Piece {
  readonly piece: Buffer;
  readonly isEnd: boolean;
}

/** The blocks of each frame, the header with the first and the checksum with the last. Skippable frames are dropped. */
async function* framePieces(source: ByteSource): AsyncGenerator<Piece, void, undefined> {
  for (;;) {
    const magic = await source.read(4);
    if (magic.length === 0) {
      yield { piece: magic, isEnd: true };
      return;
    }
    if (magic.length < 4) throw truncatedStream("zstd");
    const number = magic.readUInt32LE();
    if ((number & 0xfffffff0) >>> 0 === skippableMagic) {
      const length = (await exactly(source, 4)).readUInt32LE();
      if ((await source.skip(length)) < length) throw truncatedStream("zstd");
    } else if (number === frameMagic) {
      yield* frame(source, magic);
    } else {
      throw corrupt(`there is no frame at byte ${source.position - 4}`);
    }
  }
}

async function* frame(source: ByteSource, magic: Buffer): AsyncGenerator<Piece, void, undefined> {
  const { bytes, hasChecksum } = await frameHeader(source);
  const lead = Buffer.concat([magic, bytes]);
  let isFirst = true;
  for (;;) {
    const head = await exactly(source, 3);
    const bits = head.readUIntLE(0, 3);
    const [isLast, type, size] = [(bits & 1) === 1, (bits >> 1) & 3, bits >> 3];
    if (type > blockTypes.compressed || size > maxBlockBytes) {
      throw corrupt(`there is no block at byte ${source.position - 3}`);
    }
    const body = await exactly(source, type === blockTypes.rle ? 1 : size);
    const checksum = isLast && hasChecksum ? await exactly(source, 4) : Buffer.alloc(0);
    const piece = Buffer.concat([...(isFirst ? [lead] : []), head, body, checksum]);
    yield { piece, isEnd: false };
    if (isLast) return;
    isFirst = false;
  }
}

/** RFC 8878, 3.1.1.1: descriptor, window, dictionary, size of the content. */
async function frameHeader(source: ByteSource): Promise<{ bytes: Buffer; hasChecksum: boolean }> {
  const descriptor = (await exactly(source, 1)).readUInt8();
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const windowLength = isSingleSegment ? 0 : 1;
  const dictionaryLength = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeLength = sizeFlag === 0 ? Number(isSingleSegment) : 2 ** sizeFlag;
  const rest = await exactly(source, windowLength + dictionaryLength + sizeLength);
  const window = isSingleSegment
    ? contentSize(rest.subarray(dictionaryLength), sizeFlag)
    : windowSize(rest.readUInt8());
  if (window > maxWindowBytes) {
    throw new WerfError("archive/bomb", `the zstd stream wants a window of ${window} bytes`, {
      hint: `compress it with a window of at most ${maxWindowBytes} bytes: zstd --long=27 or less`,
    });
  }
  if (rest.subarray(windowLength, windowLength + dictionaryLength).some((byte) => byte !== 0)) {
    throw corrupt("it needs a dictionary");
  }
  return {
    bytes: Buffer.concat([Buffer.from([descriptor]), rest]),
    hasChecksum: (descriptor & 4) !== 0,
  };
}

function windowSize(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

function contentSize(field: Buffer, flag: number): number {
  if (flag === 0) return field.readUInt8();
  if (flag === 1) return field.readUInt16LE() + 256;
  if (flag === 2) return field.readUInt32LE();
  return Number(field.readBigUInt64LE());
}

async function exactly(source: ByteSource, length: number): Promise<Buffer> {
  const bytes = await source.read(length);
  if (bytes.length < length) throw truncatedStream("zstd");
  return bytes;
}

function corrupt(what: string, cause?: unknown): WerfError {
  return new WerfError("archive/corrupt", `the zstd stream is damaged: ${what}`, { cause });
}
