import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Digest } from "../../oci/digest.js";
import { BoundedCache } from "./bounded-cache.js";
import { orMissing, Staging } from "./files.js";
import { RootLayout, repositoryMarks } from "./layout.js";
import type { CachedManifest } from "./manifest-files.js";
import { Ages, type PruneOptions, type PruneResult, pruneContent, pruneRepository } from "./prune.js";
import { EmbeddedRepository } from "./repository.js";

export interface RegistryRootOptions {
  /** How a repository is called in messages. Default: the directory and the name. */
  readonly addressOf?: (name: string) => string;
  /** Forces every file to the disk before it becomes visible. Default true; tests of speed do without. */
  readonly durable?: boolean;
  /** How much memory manifests may take, in bytes. Default 32 MiB. */
  readonly manifestCacheBytes?: number;
}

/**
 * A directory with repositories that share their blobs. Several processes may use one at once: every write is a
 * file that appears complete.
 */
export interface RegistryRoot {
  readonly directory: string;
  readonly staging: Staging;
  /** Nothing is written until the repository is. @throws WerfError `embedded-registry/name-invalid` */
  repository(name: string): EmbeddedRepository;
  /** Names of the repositories that something was written to, sorted. */
  listRepositories(): Promise<string[]>;
  /**
   * Removes the blobs that no manifest of their repository lists and that came, or were asked for, before
   * `unusedSince`, and the content that no repository has any more. Safe beside writers: who writes a manifest whose
   * blob goes is told so.
   */
  prune(unusedSince: Date, options?: PruneOptions): Promise<PruneResult>;
  /** Removes unfinished files that nobody has written to since `before`. */
  sweepStaging(before: Date): Promise<void>;
}

export function openRegistryRoot(directory: string, options: RegistryRootOptions = {}): RegistryRoot {
  const layout = new RootLayout(resolve(directory));
  const staging = new Staging(layout.staging, options.durable ?? true);
  const manifestCache = new BoundedCache<CachedManifest>(options.manifestCacheBytes ?? 32 * 1024 * 1024);
  const addressOf = options.addressOf ?? ((name: string) => `${layout.directory}:${name}`);
  const repository = (name: string): EmbeddedRepository =>
    new EmbeddedRepository(name, { address: addressOf(name), root: layout, staging, manifestCache });
  const listRepositories = async (): Promise<string[]> =>
    (await findRepositories(layout.repositories, "")).sort();
  return {
    directory: layout.directory,
    staging,
    repository,
    listRepositories,
    async prune(unusedSince, options = {}) {
      const ages = new Ages(unusedSince);
      const leaving = new Map<Digest, number>();
      let manifests = 0;
      for (const name of await listRepositories()) {
        const removed = await pruneRepository(repository(name), layout.repository(name), ages, options);
        manifests += removed.manifests;
        if (!options.dryRun) continue;
        for (const digest of removed.blobs) leaving.set(digest, (leaving.get(digest) ?? 0) + 1);
      }
      return { manifests, ...(await pruneContent(layout, options, leaving)) };
    },
    sweepStaging: (before) => staging.sweep(before),
  };
}

async function findRepositories(directory: string, name: string): Promise<string[]> {
  const entries = (await orMissing(readdir(directory, { withFileTypes: true }))) ?? [];
  const found = name !== "" && entries.some((entry) => repositoryMarks.includes(entry.name)) ? [name] : [];
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name.startsWith("_")) continue;
    const below = name === "" ? entry.name : `${name}/${entry.name}`;
    found.push(...(await findRepositories(join(directory, entry.name), below)));
  }
  return found;
}
