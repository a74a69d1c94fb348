import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, WerfError } from "./errors.js";

/** Private directories (0700, as mkdtemp makes them) that go when the run ends. */
export interface TemporaryDirectories {
  create(): Promise<string>;
  removeAll(): Promise<void>;
}

/** @throws WerfError `core/temporary` when `base` can't be written to */
export function createTemporaryDirectories(base: string): TemporaryDirectories {
  const made: string[] = [];
  return {
    async create() {
      const directory = await mkdtemp(join(base, "werf-ts-")).catch((cause: unknown) => {
        throw new WerfError("core/temporary", `no temporary directory can be made: ${messageOf(cause)}`, {
          hint: "name a directory that is there, and may be written to, with --tmp-dir or TMPDIR",
          cause,
        });
      });
      made.push(directory);
      return directory;
    },
    async removeAll() {
      await Promise.all(made.splice(0).map((d) => rm(d, { recursive: true, force: true })));
    },
  };
}
