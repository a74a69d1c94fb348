import { link, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isDigest } from "../../oci/digest.js";
import { parseManifest } from "../../oci/manifest.js";
import { isErrno, namesIn, orMissing, removeFile, type Staging, withParent } from "./files.js";
import { digestAlgorithms, type RepositoryLayout, type RootLayout } from "./layout.js";
import { childrenOf, type EmbeddedRepository } from "./repository.js";

/** What was freed on the disk. */
export interface PruneResult {
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * Removes the blobs that no manifest of the repository lists and that came before `unusedSince`. They are taken away
 * first, and those that a manifest lists which came meanwhile are put back.
 * @throws WerfError `oci/digest-mismatch` for a damaged manifest: what it lists can't be known, so nothing is removed
 */
export async function pruneRepository(
  repository: EmbeddedRepository,
  layout: RepositoryLayout,
  staging: Staging,
  unusedSince: Date,
): Promise<void> {
  const used = new Set<Digest>();
  const seen = new Set<Digest>();
  await markUsed(repository, seen, used);
  const taken = new Map<Digest, string>();
  for (const digest of await blobsOf(layout)) {
    if (used.has(digest)) continue;
    const path = layout.blob(digest);
    const found = await orMissing(stat(path));
    // ctime: mtime is that of the content, which may be older than its link here.
    if (found === undefined || found.ctime >= unusedSince) continue;
    const away = staging.newPath();
    const moved = await orMissing(withParent(away, () => rename(path, away)).then(() => true));
    if (moved) taken.set(digest, away);
  }
  try {
    if (taken.size > 0) await markUsed(repository, seen, used);
  } catch (error) {
    for (const [digest, away] of taken) await putBack(away, layout.blob(digest));
    throw error;
  }
  for (const [digest, away] of taken) {
    if (used.has(digest)) await putBack(away, layout.blob(digest));
    else await removeFile(away);
  }
}

/** Adds what manifests list that were not `seen` yet. */
async function markUsed(repository: EmbeddedRepository, seen: Set<Digest>, used: Set<Digest>): Promise<void> {
  for (const digest of await repository.listManifests()) {
    if (seen.has(digest)) continue;
    seen.add(digest);
    const found = await repository.readManifest(digest);
    if (found.kind === "missing") continue;
    for (const child of childrenOf(parseManifest(found.manifest, repository.address))) used.add(child.digest);
  }
}

async function putBack(away: string, path: string): Promise<void> {
  try {
    await link(away, path);
  } catch (error) {
    // Uploaded once more meanwhile.
    if (!isErrno(error, "EEXIST")) {
      await rename(away, path);
      return;
    }
  }
  await removeFile(away);
}

async function blobsOf(layout: RepositoryLayout): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (const algorithm of digestAlgorithms) {
    for (const hex of await namesIn(join(layout.blobs, algorithm))) {
      const digest = `${algorithm}:${hex}`;
      if (isDigest(digest)) digests.push(digest);
    }
  }
  return digests;
}

/** Removes shared content whose only name is the shared one. A repository that links it meanwhile keeps its own name. */
export async function pruneContent(layout: RootLayout): Promise<PruneResult> {
  let blobs = 0;
  let bytes = 0;
  for (const algorithm of digestAlgorithms) {
    for (const shard of await namesIn(join(layout.blobs, algorithm))) {
      const directory = join(layout.blobs, algorithm, shard);
      for (const name of await namesIn(directory)) {
        const path = join(directory, name);
        const found = await orMissing(stat(path));
        if (found === undefined || found.nlink > 1 || !(await removeFile(path))) continue;
        blobs += 1;
        bytes += found.size;
      }
    }
  }
  return { blobs, bytes };
}
