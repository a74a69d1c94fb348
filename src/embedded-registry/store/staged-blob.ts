import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { WerfError } from "../../core/errors.js";
import { algorithmOf, type Digest, type DigestAlgorithm } from "../../oci/digest.js";
import { removeFile, type Staging, withParent } from "./files.js";

const writeBytes = 1024 * 1024;

/** A blob on its way in: hashed while it is written, invisible until a repository adopts it. */
export class StagedBlob {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  readonly #durable: boolean;
  #size = 0;
  #closed = false;

  private constructor(path: string, handle: FileHandle, algorithm: DigestAlgorithm, durable: boolean) {
    this.path = path;
    this.#handle = handle;
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
    this.#durable = durable;
  }

  static async create(staging: Staging, algorithm: DigestAlgorithm = "sha256"): Promise<StagedBlob> {
    const path = staging.newPath();
    const handle = await withParent(path, () => open(path, "wx", 0o600));
    return new StagedBlob(path, handle, algorithm, staging.durable);
  }

  /** Bytes taken so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends what comes. When the source fails in the middle, what came before stays, so that an upload can be resumed.
   * @throws WerfError `embedded-registry/blob-too-large` as soon as there would be more than `limit` bytes in all
   */
  async append(source: AsyncIterable<Uint8Array>, limit: number = Number.POSITIVE_INFINITY): Promise<void> {
    let pending: Uint8Array[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const chunk = pending.length === 1 && pending[0] ? pending[0] : Buffer.concat(pending, bytes);
      pending = [];
      bytes = 0;
      await this.#write(chunk);
    };
    try {
      for await (const chunk of source) {
        if (this.#size + bytes + chunk.length > limit) {
          throw new WerfError("embedded-registry/blob-too-large", `a blob has more than ${limit} bytes`);
        }
        pending.push(chunk);
        bytes += chunk.length;
        if (bytes >= writeBytes) await flush();
      }
    } finally {
      if (bytes > 0) await flush();
    }
  }

  async #write(chunk: Uint8Array): Promise<void> {
    const written = this.#writeAll(chunk, this.#size);
    // Hashed while the kernel writes; after a failed write the two differ, and the blob is of no use any more.
    this.#hash.update(chunk);
    this.#size += chunk.length;
    try {
      await written;
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  async #writeAll(chunk: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < chunk.length) {
      const { bytesWritten } = await this.#handle.write(chunk, done, chunk.length - done, position + done);
      done += bytesWritten;
    }
  }
  /**
   * Ends the writing and tells whether the bytes are those of the digest. Another algorithm than the one that was
   * hashed along reads the file once more.
   */
  async finish(expected: Digest): Promise<boolean> {
    if (this.#durable) await this.#handle.sync();
    await this.#close();
    const algorithm = algorithmOf(expected);
    const hash = algorithm === this.#algorithm ? this.#hash : await hashFile(this.path, algorithm);
    return `${algorithm}:${hash.digest("hex")}` === expected;
  }

  /** Removes the file, unless a repository has another name for it by now. */
  async discard(): Promise<void> {
    await this.#close();
    await removeFile(this.path);
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
  }
}

async function hashFile(path: string, algorithm: DigestAlgorithm): Promise<Hash> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: writeBytes })) {
    hash.update(chunk as Uint8Array);
  }
  return hash;
}
