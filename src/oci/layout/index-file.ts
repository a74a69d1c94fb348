import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { LayoutIndex } from "./layout-index.js";
import type { IndexChange, IndexKeeper } from "./writable-layout-store.js";

/**
 * `index.json` on disk, replaced as a whole. Changes that come while one is being written are written together;
 * when another process has written the file meanwhile, the changes are made to what it wrote.
 */
export class IndexFile implements IndexKeeper {
  readonly #path: string;
  readonly #source: string;
  #current: LayoutIndex;
  #stamp: string;
  #pending: IndexChange[] = [];
  #scheduled: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  private constructor(path: string, source: string, current: LayoutIndex, stamp: string) {
    this.#path = path;
    this.#source = source;
    this.#current = current;
    this.#stamp = stamp;
  }

  /** A file that isn't there counts as an empty index. @throws WerfError `oci/layout-invalid` */
  static async open(path: string, source: string): Promise<IndexFile> {
    const stamp = await stampOf(path);
    const current = stamp === absent ? LayoutIndex.empty() : LayoutIndex.parse(await readFile(path), source);
    return new IndexFile(path, source, current, stamp);
  }

  get current(): LayoutIndex {
    return this.#current;
  }

  change(change: IndexChange): Promise<void> {
    change(this.#current);
    this.#pending.push(change);
    this.#scheduled ??= this.#schedule();
    return this.#scheduled;
  }

  async #schedule(): Promise<void> {
    await this.#running;
    this.#scheduled = undefined;
    const writing = this.#write();
    this.#running = writing.catch(() => undefined);
    await writing;
  }

  async #write(): Promise<void> {
    if ((await stampOf(this.#path)) !== this.#stamp) {
      const fresh = LayoutIndex.parse(await readFile(this.#path), this.#source);
      for (const change of this.#pending) change(fresh);
      this.#current = fresh;
    }
    this.#pending = [];
    await replaceFile(this.#path, this.#current.toBytes());
    this.#stamp = await stampOf(this.#path);
  }
}

const absent = "";

/** Changes whenever the file is replaced. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return absent;
    throw error;
  }
}

/** Readers see the old bytes or the new ones, also after a loss of power. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.werf-ts-partial`;
  try {
    const file = await open(partial, "w");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
