import type { FileHandle } from "node:fs/promises";

/** Bytes in order, from a stream or a file, read in the amounts that a parser wants. */
export interface ByteSource {
  /** How many bytes were read or skipped so far. */
  readonly position: number;
  /** Exactly `length` bytes; fewer only at the end. */
  read(length: number): Promise<Buffer>;
  /** What comes next, at least one byte and at most `max`; nothing at the end. */
  readSome(max: number): Promise<Buffer>;
  /** Passes over `length` bytes; returns how many there were. */
  skip(length: number): Promise<number>;
  /** Gives up what the source holds; a stream is ended, a file handle stays open. */
  close(): Promise<void>;
}

const nothing = Buffer.alloc(0);
const largestRead = 256 * 1024;

/** Reads a stream; `Readable` is such an iterable. */
export function streamSource(stream: AsyncIterable<Uint8Array | string>): ByteSource {
  const chunks = stream[Symbol.asyncIterator]();
  let pending: Buffer = nothing;
  let ended = false;
  let position = 0;

  async function fill(): Promise<void> {
    while (pending.length === 0 && !ended) {
      const next = await chunks.next();
      if (next.done === true) ended = true;
      else pending = asBuffer(next.value);
    }
  }
  async function readSome(max: number): Promise<Buffer> {
    if (pending.length === 0) await fill();
    const some = pending.subarray(0, max);
    pending = pending.subarray(some.length);
    position += some.length;
    return some;
  }
  return {
    get position() {
      return position;
    },
    readSome,
    read: (length) => readWhole(readSome, length),
    async skip(length) {
      let left = length;
      while (left > 0) {
        const some = await readSome(left);
        if (some.length === 0) break;
        left -= some.length;
      }
      return length - left;
    },
    async close() {
      ended = true;
      pending = nothing;
      await chunks.return?.();
    },
  };
}

/** Reads a file from its beginning; skipping costs nothing. `size` is that of the file, in bytes. */
export function fileSource(file: FileHandle, size: number): ByteSource {
  let position = 0;
  async function readSome(max: number): Promise<Buffer> {
    const length = Math.min(max, size - position, largestRead);
    if (length <= 0) return nothing;
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    position += bytesRead;
    return buffer.subarray(0, bytesRead);
  }
  return {
    get position() {
      return position;
    },
    readSome,
    read: (length) => readWhole(readSome, length),
    skip(length) {
      const skipped = Math.min(length, size - position);
      position += skipped;
      return Promise.resolve(skipped);
    },
    close: () => Promise.resolve(),
  };
}

async function readWhole(readSome: (max: number) => Promise<Buffer>, length: number): Promise<Buffer> {
  const first = await readSome(length);
  if (first.length === length || first.length === 0) return first;
  const parts = [first];
  let have = first.length;
  while (have < length) {
    const part = await readSome(length - have);
    if (part.length === 0) break;
    parts.push(part);
    have += part.length;
  }
  return Buffer.concat(parts, have);
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array | string): Buffer {
  if (typeof bytes === "string") return Buffer.from(bytes);
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
