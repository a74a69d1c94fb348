import { chmod, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";

/** Longer than any job should run; werf's own time. */
const lifetimeMs = 6 * 60 * 60 * 1000;

/**
 * A directory below werf's home that only this user reads, made when it isn't there.
 * @throws WerfError `ci-env/home-unwritable`
 */
export async function ownDirectory(run: RunContext, name: string): Promise<string> {
  const directory = join(run.werfHome, "ci-env", name);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
  } catch (cause) {
    throw new WerfError("ci-env/home-unwritable", `can't make ${directory}: ${messageOf(cause)}`, {
      hint: "name a directory for werf's own files with --home-dir or $WERF_HOME",
      cause,
    });
  }
  return directory;
}

/**
 * Removes what earlier jobs left in a directory of ours and nobody can need any more. `release` first removes
 * what a file stands for. Other jobs may do the same at the same time.
 */
export async function sweepExpired(
  run: RunContext,
  directory: string,
  release: (text: string) => Promise<void> = async () => undefined,
): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = join(directory, name);
    try {
      const { mtimeMs } = await stat(file);
      if (run.clock.now().getTime() - mtimeMs < lifetimeMs) continue;
      await release(await readFile(file, "utf8"));
      await rm(file, { force: true });
    } catch (error) {
      // Gone already, or not ours to remove: no reason for this job to fail.
      run.emit({ code: "note", level: "debug", message: `${file} stays: ${messageOf(error)}` });
    }
  }
}
