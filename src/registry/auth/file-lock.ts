import { randomUUID } from "node:crypto";
import { link, open, rename, rm, stat } from "node:fs/promises";
import type { Clock } from "../../core/run-context.js";

const pollMs = 20;
/** A lock that is the same for this long belongs to a process that was killed: the work takes milliseconds. */
const patienceMs = 10_000;

/** One process at a time, by a file at `path` that only one can make. `work` must be short. */
export async function withFileLock<T>(path: string, clock: Clock, work: () => Promise<T>): Promise<T> {
  await acquire(path, clock);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, clock: Clock): Promise<void> {
  let seen: string | undefined;
  for (let waited = 0; ; waited += pollMs) {
    if (await make(path)) return;
    const holder = await identityOf(path);
    if (holder !== seen) waited = 0;
    seen = holder;
    if (holder !== undefined && waited >= patienceMs) await breakLock(path, holder);
    else await clock.sleep(pollMs);
  }
}

async function make(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx", 0o600)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Moved away first, so that of several who wait only one breaks it; a lock that is another one is given back. */
async function breakLock(path: string, holder: string): Promise<void> {
  const aside = `${path}-${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if ((await identityOf(aside)) !== holder) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${mtimeNs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
