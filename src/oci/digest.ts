import { createHash, type Hash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { WerfError } from "../core/errors.js";

/** `algorithm:hex`, as in the OCI image specification, descriptor.md "Digests". */
export type Digest = `sha256:${string}` | `sha512:${string}`;
export type DigestAlgorithm = "sha256" | "sha512";

const pattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** @throws WerfError `oci/digest-invalid` */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new WerfError("oci/digest-invalid", `"${text.slice(0, 160)}" is not a digest`, {
    hint: "a digest is sha256: and 64, or sha512: and 128, lower-case hexadecimal digits",
  });
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The digits after the colon. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/**
 * Passes bytes through and fails at their end unless they are what the digest (and the size in bytes, when
 * given) says. It stops as soon as there are more bytes than the size, so a lying server can't fill a disk.
 */
export class VerifyStream extends Transform {
  readonly #hash: Hash;
  readonly #digest: Digest;
  readonly #size: number | undefined;
  readonly #source: string;
  #seen = 0;

  constructor(expected: { readonly digest: Digest; readonly size?: number }, source: string) {
    super();
    this.#digest = expected.digest;
    this.#size = expected.size;
    this.#source = source;
    this.#hash = createHash(algorithmOf(expected.digest));
  }

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#seen += chunk.length;
    if (this.#size !== undefined && this.#seen > this.#size) {
      done(this.#mismatch(`more than the ${this.#size} bytes of its descriptor`));
      return;
    }
    this.#hash.update(chunk);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    if (this.#size !== undefined && this.#seen !== this.#size) {
      done(this.#mismatch(`${this.#seen} bytes instead of ${this.#size}`));
      return;
    }
    const actual = `${algorithmOf(this.#digest)}:${this.#hash.digest("hex")}`;
    done(actual === this.#digest ? null : this.#mismatch(`bytes with the digest ${actual}`));
  }

  #mismatch(what: string): WerfError {
    return new WerfError("oci/digest-mismatch", `${this.#source}: ${this.#digest} came as ${what}`, {
      hint: "the content was damaged on the way or at its source; nothing of it was kept",
    });
  }
}
