import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import type { Clock } from "../../core/run-context.js";
import { LayoutIndex } from "./layout-index.js";
import type { IndexChange, IndexKeeper } from "./writable-layout-store.js";

/** A layout of 10,000 tags would else be written 10,000 times. */
const unwrittenShare = 1 / 16;

/**
 * `index.json` on disk, replaced as a whole. It is written behind the changes, several at once, and at the latest by
 * `flush`; a process that is killed before leaves a good index that lacks the last ones. When another process has
 * written it meanwhile, the changes are made to what that wrote.
 */
export class IndexFile implements IndexKeeper {
  readonly #path: string;
  readonly #source: string;
  readonly #clock: Clock;
  #current: LayoutIndex;
  #stamp: string;
  #pending: IndexChange[] = [];
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  private constructor(path: string, source: string, clock: Clock, current: LayoutIndex, stamp: string) {
    this.#clock = clock;
    this.#path = path;
    this.#source = source;
    this.#current = current;
    this.#stamp = stamp;
  }

  /** A file that isn't there counts as an empty index. @throws WerfError `oci/layout-invalid` */
  static async open(path: string, source: string, clock: Clock): Promise<IndexFile> {
    const stamp = await stampOf(path);
    const current = stamp === absent ? LayoutIndex.empty() : LayoutIndex.parse(await readFile(path), source);
    return new IndexFile(path, source, clock, current, stamp);
  }

  get current(): LayoutIndex {
    return this.#current;
  }

  change(change: IndexChange): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    change(this.#current);
    this.#pending.push(change);
    if (this.#pending.length >= this.#current.size * unwrittenShare) this.#writing ??= this.#write();
  }

  async flush(): Promise<void> {
    do {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#pending.length > 0) this.#writing ??= this.#write();
      await this.#writing;
    } while (this.#pending.length > 0 || this.#failure !== undefined);
  }

  /** Never rejects: the failure is told to the next who asks. */
  async #write(): Promise<void> {
    try {
      await withLock(`${this.#path}.werf-ts-lock`, this.#clock, () => this.#replace());
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#writing = undefined;
    }
  }

  async #replace(): Promise<void> {
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

const lockPollMs = 20;
const lockPolls = 250;

/** One process at a time. Who holds the lock for five seconds was killed: the work takes milliseconds. */
async function withLock(path: string, clock: Clock, work: () => Promise<void>): Promise<void> {
  for (let polls = 0; ; polls++) {
    try {
      await (await open(path, "wx")).close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (polls < lockPolls) await clock.sleep(lockPollMs);
    else await rm(path, { force: true });
  }
  try {
    await work();
  } finally {
    await rm(path, { force: true });
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
  const partial = `${path}.werf-ts-partial-${randomUUID()}`;
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
