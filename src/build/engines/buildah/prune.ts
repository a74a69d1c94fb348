import { mkdir, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunContext } from "../../../core/run-context.js";
import type { Buildah } from "./program.js";

const maxAgeMs = 14 * 24 * 60 * 60 * 1000;

/** Notes that a build used an image of buildah's storage, as its base or as its result. */
export async function markUsed(run: RunContext, buildah: Buildah, id: string): Promise<void> {
  const directory = markers(buildah);
  await mkdir(directory, { recursive: true });
  const marker = join(directory, id);
  await writeFile(marker, "");
  const now = run.clock.now();
  await utimes(marker, now, now);
}

/**
 * Removes images that no build has used for two weeks, and with a result the layers of the cache below it, so
 * that the storage doesn't grow for ever. Buildah refuses to remove what others stand on; that stays.
 */
export async function removeUnused(run: RunContext, buildah: Buildah): Promise<void> {
  const directory = markers(buildah);
  const now = run.clock.now().getTime();
  let removed = 0;
  for (const id of await readdir(directory)) {
    const marker = join(directory, id);
    const found = await stat(marker).catch(() => undefined);
    if (found === undefined || now - found.mtimeMs <= maxAgeMs) continue;
    const { exitCode, stderr } = await buildah.run(["rmi", id]);
    if (exitCode !== 0 && !/image not known|no such image/i.test(stderr)) continue;
    await rm(marker, { force: true });
    removed++;
  }
  if (removed === 0) return;
  run.emit({
    code: "note",
    level: "verbose",
    message: `removed ${removed} unused images from buildah's cache`,
  });
}

function markers(buildah: Buildah): string {
  return join(buildah.directory, "used");
}
