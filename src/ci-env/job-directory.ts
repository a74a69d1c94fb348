import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { messageOf, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { version } from "../core/version.js";
import type { DockerConfigJson } from "./docker-config.js";
import { ownDirectory, sweepExpired } from "./own-files.js";

export interface JobDirectoryOptions {
  /** Where it is made. */
  readonly temporary: string;
  /** Files beside config.json come from here; `undefined`: there are none. */
  readonly source: string | undefined;
  readonly config: DockerConfigJson;
}

/** A directory of Docker's configuration that only this job sees. */
export interface JobDirectory {
  readonly path: string;
  /** Removes it, when the job doesn't come to use it. */
  discard(): Promise<void>;
}

const notesName = "docker-configs";
/** Big, bound to the machine, or sockets: nothing that a job needs. Beginnings of names. */
const leftOut = ["cli-plugins", "buildx", "machine", "desktop", "run", "mutagen", "scout"];
const maxDepth = 16;
const directoryName = /^werf-.+-docker-config-\w+$/;

/**
 * Makes a private directory (0700, files 0600) with the configuration, and notes it in werf's home, from where
 * `sweepJobDirectories` removes it when it has expired.
 * @throws WerfError `ci-env/temporary-unwritable`, `ci-env/home-unwritable`
 */
export async function createJobDirectory(
  run: RunContext,
  { temporary, source, config }: JobDirectoryOptions,
): Promise<JobDirectory> {
  const notes = await ownDirectory(run, notesName);
  const path = await makeDirectory(temporary);
  const note = join(notes, basename(path));
  const discard = async (): Promise<void> => {
    await rm(path, { recursive: true, force: true });
    await rm(note, { force: true });
  };
  try {
    // Noted before there is anything in it that must not stay.
    const { ino } = await lstat(path);
    await writeFile(note, JSON.stringify({ path, ino }), { mode: 0o600 });
    if (source !== undefined) await copyDirectory(source, path, 0);
    const text = `${JSON.stringify(config, undefined, "\t")}\n`;
    if (Object.keys(config).length > 0) await writeFile(join(path, "config.json"), text, { mode: 0o600 });
    return { path, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Removes the expired ones of earlier jobs: what we noted, where it still is the directory that we made. */
export async function sweepJobDirectories(run: RunContext): Promise<void> {
  await sweepExpired(run, await ownDirectory(run, notesName), async (text) => {
    const { path, ino } = readNote(text);
    if (typeof path !== "string" || !isAbsolute(path) || !directoryName.test(basename(path))) return;
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() && found.ino === ino) await rm(path, { recursive: true, force: true });
  });
}

/** One that was cut off says nothing, and goes. */
function readNote(text: string): { readonly path?: unknown; readonly ino?: unknown } {
  try {
    return JSON.parse(text) as { path?: unknown; ino?: unknown };
  } catch {
    return {};
  }
}

async function makeDirectory(temporary: string): Promise<string> {
  try {
    return await mkdtemp(join(temporary, `werf-${version}-docker-config-`));
  } catch (cause) {
    throw new WerfError(
      "ci-env/temporary-unwritable",
      `can't make a directory for the job's Docker configuration in ${temporary}: ${messageOf(cause)}`,
      { hint: "name a directory for temporary files with --tmp-dir or $WERF_TMP_DIR", cause },
    );
  }
}

/** What links lead to is copied as it is: secrets are often mounted so. Sockets and the like are left out. */
async function copyDirectory(from: string, to: string, depth: number): Promise<void> {
  if (depth > maxDepth) return;
  const names = (await readdir(from).catch(ignoreMissing)) ?? [];
  for (const name of names) {
    if (depth === 0 && (name === "config.json" || leftOut.some((start) => name.startsWith(start)))) continue;
    const [source, target] = [join(from, name), join(to, name)];
    const found = await stat(source).catch(ignoreMissing);
    if (found?.isDirectory()) {
      await mkdir(target, { mode: 0o700 });
      await copyDirectory(source, target, depth + 1);
    } else if (found?.isFile()) {
      await copyFile(source, target).then(() => chmod(target, 0o600), ignoreMissing);
    }
  }
}

/** Other processes change the directory meanwhile, and not all of it must be readable for us. */
function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ELOOP"].includes(error.code ?? "")) return undefined;
  throw error;
}
