import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

/** Private directories (0700, as mkdtemp makes them) that go when the run ends. */
export interface TemporaryDirectories {
  create(): Promise<string>;
  removeAll(): Promise<void>;
}

export function createTemporaryDirectories(base: string): TemporaryDirectories {
  const made: string[] = [];
  return {
    async create() {
      const directory = await mkdtemp(join(base, "werf-ts-"));
      made.push(directory);
      return directory;
    },
    async removeAll() {
      await Promise.all(made.splice(0).map((d) => rm(d, { recursive: true, force: true })));
    },
  };
}
