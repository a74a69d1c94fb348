import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Digest, isDigest, VerifyStream } from "../digest.js";
import { type BlobSpace, blobPath } from "./blob-space.js";

/** In the name of whatever isn't finished yet. */
export const partialMark = ".werf-ts-partial-";
const partialMaxAgeMs = 24 * 60 * 60 * 1000;

/** Blobs as files below a directory. What is written becomes visible when it is whole and verified. */
export class BlobDirectory implements BlobSpace {
  readonly #root: string;
  readonly #address: string;
  readonly #made = new Set<string>();
  #partial: Promise<string> | undefined;

  constructor(root: string, address: string) {
    this.#root = root;
    this.#address = address;
  }

  async sizeOf(digest: Digest): Promise<number | undefined> {
    try {
      const found = await stat(this.#path(digest));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  read(digest: Digest): Readable {
    return createReadStream(this.#path(digest), { highWaterMark: 256 * 1024 });
  }

  readWhole(digest: Digest): Promise<Uint8Array> {
    return readFile(this.#path(digest));
  }

  /** @throws WerfError `oci/digest-mismatch` */
  async write(blob: { readonly digest: Digest; readonly size: number }, content: Readable): Promise<void> {
    this.#partial ??= mkdtemp(join(this.#root, partialMark));
    const partial = join(await this.#partial, randomUUID());
    try {
      await pipeline(content, new VerifyStream(blob, this.#address), createWriteStream(partial));
      const path = this.#path(blob.digest);
      await this.#makeDirectory(dirname(path));
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }

  async #makeDirectory(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    await mkdir(path, { recursive: true });
    this.#made.add(path);
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true });
  }

  /** Every blob, sorted. */
  async list(): Promise<readonly Digest[]> {
    const found: Digest[] = [];
    for (const algorithm of ["sha256", "sha512"]) {
      for (const hex of await namesIn(join(this.#root, "blobs", algorithm))) {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) found.push(digest);
      }
    }
    return found.sort();
  }

  /** Removes what wasn't finished: by this run, and by runs that were killed more than a day before `now`. */
  async removePartials(now: Date): Promise<void> {
    const own = await this.#partial;
    this.#partial = undefined;
    if (own !== undefined) await rm(own, { recursive: true, force: true });
    for (const name of await namesIn(this.#root)) {
      if (!name.includes(partialMark)) continue;
      const path = join(this.#root, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && now.getTime() - found.mtimeMs > partialMaxAgeMs)
        await rm(path, { recursive: true, force: true });
    }
  }

  #path(digest: Digest): string {
    return join(this.#root, ...blobPath(digest).split("/"));
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
