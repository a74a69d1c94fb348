import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import {
  chmod,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";

/** Whether the error is one of these of the operating system. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | null)?.code ?? "");
}

/** What the promise gives, or undefined when there is no such file or directory. */
export async function orMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return (await orMissing(stat(path))) !== undefined;
}

/** Names in a directory; none when it isn't there. */
export async function namesIn(directory: string): Promise<string[]> {
  return (await orMissing(readdir(directory))) ?? [];
}

export function readSmall(path: string): Promise<string | undefined> {
  return orMissing(readFile(path, "utf8"));
}

/** Removes a file; false when it wasn't there. */
export async function removeFile(path: string): Promise<boolean> {
  return (await orMissing(unlink(path).then(() => true))) ?? false;
}

const takenSuffix = ".taken";

/** Where a file lies that was taken away. */
export function takenPath(path: string): string {
  return path + takenSuffix;
}

/**
 * Takes a file away, so that it isn't seen any more; whoever asks for it gets it back (`restoreTaken`). False when there
 * was none.
 */
export async function take(path: string): Promise<boolean> {
  return (await orMissing(rename(path, takenPath(path)).then(() => true))) ?? false;
}

/** Brings back what was taken away, unless it was written once more meanwhile; false when nothing was, or no longer is. */
export async function restoreTaken(path: string): Promise<boolean> {
  const taken = takenPath(path);
  try {
    await link(taken, path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return false;
    if (!isErrno(error, "EEXIST")) return (await orMissing(rename(taken, path).then(() => true))) ?? false;
  }
  await removeFile(taken);
  return true;
}

/** Removes for good what was taken away; false when it was brought back. */
export function removeTaken(path: string): Promise<boolean> {
  return removeFile(takenPath(path));
}

/** The name of a file that was taken away; undefined for others. */
export function nameOfTaken(name: string): string | undefined {
  return name.endsWith(takenSuffix) ? name.slice(0, -takenSuffix.length) : undefined;
}

/** `stat`, which brings back what was taken away. */
export async function statRestoring(path: string): Promise<Stats | undefined> {
  const found = await orMissing(stat(path));
  if (found !== undefined || !(await restoreTaken(path))) return found;
  return orMissing(stat(path));
}

/** Counts as new for pruning again: the time of the last change of status, and nothing else, is now. */
export async function renew(path: string): Promise<void> {
  try {
    const found = await statRestoring(path);
    if (found !== undefined) await chmod(path, found.mode & 0o7777);
  } catch (error) {
    // Whose root is read-only prunes nothing either.
    if (!isErrno(error, "ENOENT", "EROFS", "EPERM", "EACCES")) throw error;
  }
}

/** Runs `write`, and once its directory was missing, makes that and runs it again: directories come with their first file. */
export async function withParent<T>(path: string, write: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      // More than once: another process may remove the directory, being empty, in between.
      if (!isErrno(error, "ENOENT") || attempt === 5) throw error;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    }
  }
}

/** Makes an empty file unless it is there. */
export async function touch(path: string): Promise<void> {
  await withParent(path, async () => (await open(path, "a", 0o600)).close());
}

/** Where files are written before they become visible, and whether they are forced to the disk first. */
export class Staging {
  readonly directory: string;
  readonly durable: boolean;

  constructor(directory: string, durable: boolean) {
    this.directory = directory;
    this.durable = durable;
  }

  newPath(): string {
    return join(this.directory, randomUUID());
  }

  /** Writes a whole file: readers see the old one or the new one, never a part. */
  async writeFile(target: string, ...parts: (string | Uint8Array)[]): Promise<void> {
    const temporary = this.newPath();
    const handle = await withParent(temporary, () => open(temporary, "wx", 0o600));
    try {
      try {
        await handle.writeFile(Buffer.concat(parts.map((part) => Buffer.from(part))));
        if (this.durable) await handle.sync();
      } finally {
        await handle.close();
      }
      await withParent(target, () => rename(temporary, target));
    } catch (error) {
      await removeFile(temporary);
      throw error;
    }
  }

  /**
   * Gives the content of `source` a second name without copying it; a target of the same size is that content already.
   * Copies where the file system has no (more) hard links.
   */
  async link(source: string, target: string): Promise<void> {
    try {
      await withTargetParent(source, target, () => link(source, target));
    } catch (error) {
      if (isErrno(error, "EEXIST")) {
        const [have, want] = await Promise.all([stat(target), stat(source)]);
        if (have.size === want.size) return;
      } else if (!isErrno(error, "EMLINK", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV")) throw error;
      await this.#copy(source, target);
    }
  }

  async #copy(source: string, target: string): Promise<void> {
    const temporary = this.newPath();
    try {
      await withTargetParent(source, temporary, () => copyFile(source, temporary));
      await withParent(target, () => rename(temporary, target));
    } catch (error) {
      await removeFile(temporary);
      throw error;
    }
  }

  /** Removes what processes that died have left: files not written to since `before`. */
  async sweep(before: Date): Promise<void> {
    for (const name of await namesIn(this.directory)) {
      const path = join(this.directory, name);
      const found = await orMissing(stat(path));
      if (found?.isFile() && found.mtime < before) await removeFile(path);
    }
  }
}

/** ENOENT of link and copy can also mean the source, for which making directories is no remedy. */
async function withTargetParent(source: string, target: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isErrno(error, "ENOENT") || !(await exists(source))) throw error;
    await withParent(target, write);
  }
}
