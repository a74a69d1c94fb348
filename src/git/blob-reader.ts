import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { WerfError } from "../core/errors.js";
import { type Git, gitFailure } from "./command.js";
import type { ObjectId } from "./repository.js";

/** Blobs up to this many bytes come whole through the shared process; larger ones get a process each. */
const sharedLimit = 1024 * 1024;
const oidPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

interface Pending {
  readonly oid: ObjectId;
  /** `undefined`: larger than the shared limit. */
  resolve(content: Buffer | undefined): void;
  reject(error: unknown): void;
}

/** Reads blobs: small ones through one `git cat-file --batch`, in the order of asking. */
export class BlobReader {
  readonly #git: Git;
  readonly #signal: AbortSignal;
  #batch: Batch | undefined;

  constructor(git: Git, signal: AbortSignal) {
    this.#git = git;
    this.#signal = signal;
  }

  /** @throws WerfError `git/object-missing`; a stream that fails when git does */
  async read(oid: ObjectId, size?: number): Promise<Readable> {
    if (!oidPattern.test(oid)) throw new WerfError("git/object-missing", `"${oid}" is not an object id`);
    if (size !== undefined && size > sharedLimit) return this.#stream(oid);
    const content = await this.#shared().read(oid);
    return content === undefined ? this.#stream(oid) : Readable.from(content.length === 0 ? [] : [content]);
  }

  async close(): Promise<void> {
    const batch = this.#batch;
    this.#batch = undefined;
    await batch?.close();
  }

  #shared(): Batch {
    if (this.#batch === undefined || this.#batch.ended) this.#batch = new Batch(this.#git);
    return this.#batch;
  }

  #stream(oid: ObjectId): Readable {
    const output = new PassThrough({ highWaterMark: 256 * 1024 });
    const abort = new AbortController();
    output.once("close", () => abort.abort());
    const drained = (): Promise<void> =>
      once(output, "drain", { signal: abort.signal }).then(() => undefined);
    this.#git(["cat-file", "blob", oid], {
      signal: AbortSignal.any([this.#signal, abort.signal]),
      onStdout: async (chunk) => {
        if (!output.write(chunk)) await drained();
      },
    }).then(
      (result) => {
        if (result.exitCode === 0) output.end();
        else output.destroy(gitFailure(`cannot read blob ${oid}`, result));
      },
      (error: unknown) => output.destroy(error as Error),
    );
    return output;
  }
}

/** One `git cat-file --batch`: a line with an object id in, a header and the content out. */
class Batch {
  ended = false;
  readonly #input = new PassThrough();
  readonly #pending: Pending[] = [];
  readonly #done: Promise<void>;
  #header: Buffer = Buffer.alloc(0);
  /** Undefined between objects. */
  #body: { readonly content: Buffer | undefined; filled: number; readonly size: number } | undefined;

  constructor(git: Git) {
    const process = git(["cat-file", "--batch"], {
      stdin: this.#input,
      onStdout: (chunk) => this.#take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)),
    });
    this.#done = process.then(
      (result) => this.#fail(gitFailure("cannot read blobs", result)),
      (error: unknown) => this.#fail(error),
    );
  }

  read(oid: ObjectId): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ oid, resolve, reject });
      this.#input.write(`${oid}\n`);
    });
  }

  async close(): Promise<void> {
    this.ended = true;
    this.#input.end();
    await this.#done;
  }

  #fail(error: unknown): void {
    this.ended = true;
    for (const pending of this.#pending.splice(0)) pending.reject(error);
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) rest = this.#body === undefined ? this.#takeHeader(rest) : this.#takeBody(rest);
  }

  #takeHeader(chunk: Buffer): Buffer {
    const end = chunk.indexOf(0x0a);
    if (end === -1) {
      this.#header = Buffer.concat([this.#header, chunk]);
      return chunk.subarray(chunk.length);
    }
    const [, type, size] = Buffer.concat([this.#header, chunk.subarray(0, end)])
      .toString("latin1")
      .split(" ");
    this.#header = Buffer.alloc(0);
    if (size === undefined) {
      const pending = this.#pending.shift();
      pending?.reject(missing(pending.oid));
    } else {
      const bytes = Number(size);
      const wanted = type === "blob" && bytes <= sharedLimit;
      this.#body = { content: wanted ? Buffer.allocUnsafe(bytes) : undefined, filled: 0, size: bytes };
    }
    return chunk.subarray(end + 1);
  }

  /** The content, and the newline behind it. */
  #takeBody(chunk: Buffer): Buffer {
    const body = this.#body;
    if (body === undefined) return chunk;
    const part = chunk.subarray(0, body.size - body.filled);
    if (body.content !== undefined) part.copy(body.content, body.filled);
    body.filled += part.length;
    if (part.length === chunk.length) return chunk.subarray(chunk.length);
    this.#body = undefined;
    this.#pending.shift()?.resolve(body.content);
    return chunk.subarray(part.length + 1);
  }
}

function missing(oid: ObjectId): WerfError {
  return new WerfError("git/object-missing", `the object ${oid} is not in this repository`, {
    hint: "the clone is incomplete or damaged: `git fsck` tells which; fetch again",
  });
}
