import { createWriteStream } from "node:fs";
import { chmod, lutimes, mkdir, symlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { WerfError } from "../../../core/errors.js";
import type { TreeEntry } from "../../../git/repository.js";
import type { BuildContext } from "../../context/context.js";

/**
 * Modification time of every file, in seconds: the same on every machine, or buildah's cache would miss; and
 * not before 1980, which zip files (jars, wheels) can't say.
 */
const modified = 315_619_200;

/**
 * Writes the files of a context below a new directory. Links come last: no path that git can hold is written
 * through one. @throws WerfError `build/context-conflict`
 */
export async function writeContext(context: BuildContext, directory: string): Promise<void> {
  const directories = new Set<string>();
  const make = async (path: string): Promise<void> => {
    if (directories.has(path)) return;
    if (path !== directory) await make(dirname(path));
    await mkdir(path, { mode: 0o755 });
    directories.add(path);
  };
  await make(directory);
  const write = async (entry: TreeEntry): Promise<void> => {
    const path = join(directory, entry.path);
    try {
      await make(dirname(path));
      if (entry.mode === "120000") await writeLink(context, entry, path);
      else await writeFile(context, entry, path);
    } catch (cause) {
      if (!["EEXIST", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
      throw new WerfError("build/context-conflict", `${entry.path} stands twice in the build context`, {
        hint: "two names of the commit are one on this file system: do they differ in case only?",
        cause,
      });
    }
  };
  // Submodules have no files in this commit.
  for (const entry of context.files) if (entry.mode.startsWith("100")) await write(entry);
  for (const entry of context.files) if (entry.mode === "120000") await write(entry);
  for (const path of directories) await utimes(path, modified, modified);
}

async function writeFile(context: BuildContext, entry: TreeEntry, path: string): Promise<void> {
  const mode = entry.mode === "100755" ? 0o755 : 0o644;
  const file = createWriteStream(path, { flags: "wx", mode });
  await pipeline(await context.open(entry), file);
  await chmod(path, mode);
  await utimes(path, modified, modified);
}

async function writeLink(context: BuildContext, entry: TreeEntry, path: string): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of await context.open(entry)) chunks.push(chunk as Buffer);
  await symlink(Buffer.concat(chunks), path);
  await lutimes(path, modified, modified);
}
