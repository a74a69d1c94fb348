import type { Stats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isDigest } from "../../oci/digest.js";
import { type Manifest, parseManifest, type RawManifest } from "../../oci/manifest.js";
import {
  nameOfTaken,
  namesIn,
  orMissing,
  removeFile,
  removeTaken,
  restoreTaken,
  take,
  takenPath,
} from "./files.js";
import { digestAlgorithms, type RepositoryLayout, type RootLayout } from "./layout.js";
import type { EmbeddedRepository } from "./repository.js";

/** What was removed. */
export interface PruneResult {
  readonly manifests: number;
  /** Contents that no repository has any more, which frees `bytes` on the disk. */
  readonly blobs: number;
  readonly bytes: number;
}

/** One thing that a repository loses; its content may still belong to another one. */
export interface PrunedItem {
  readonly repository: string;
  readonly kind: "manifest" | "blob";
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface PruneOptions {
  /** Also manifests without a tag that no other one refers to. Default: every manifest is needed. */
  readonly untagged?: boolean;
  /** Only tells. */
  readonly dryRun?: boolean;
  readonly onItem?: (item: PrunedItem) => void;
  readonly signal?: AbortSignal;
}

interface Candidate {
  readonly digest: Digest;
  readonly path: string;
  readonly size: number;
}

/** What a manifest keeps: what it lists, and what it refers to. */
interface Links {
  readonly lists: readonly Digest[];
  readonly subject: Digest | undefined;
}

/**
 * Which files came, or were asked for, before a moment. The time is ctime: mtime is that of the content, which may be
 * older than its link in a repository. Links share their ctime, so what removing one of them makes of it doesn't count.
 */
export class Ages {
  readonly #unusedSince: Date;
  readonly #ours = new Map<number, number>();

  constructor(unusedSince: Date) {
    this.#unusedSince = unusedSince;
  }

  isOld({ ino, ctime, ctimeMs }: Stats): boolean {
    return ctime < this.#unusedSince || this.#ours.get(ino) === ctimeMs;
  }

  /** The change of this file was ours. */
  disregard({ ino, ctimeMs }: Stats): void {
    this.#ours.set(ino, ctimeMs);
  }
}

/**
 * Removes what one repository doesn't need and what is old. Everything is taken away first, then all manifests and
 * tags are looked at once more, and what is needed by those that came meanwhile is put back; who asks for a file in
 * between brings it back himself. After a kill in the middle the next pruning does, or the next reader.
 * @throws WerfError `oci/digest-mismatch` for a damaged manifest: what it lists can't be known, so nothing is removed
 */
export async function pruneRepository(
  repository: EmbeddedRepository,
  layout: RepositoryLayout,
  ages: Ages,
  options: PruneOptions,
): Promise<{ readonly manifests: number; readonly blobs: readonly Digest[] }> {
  if (!options.dryRun) await restoreAll(layout);
  const marks = new Marks(repository, layout, options.untagged ? ages : undefined);
  await marks.update();
  const manifests = options.untagged
    ? await removeUnneeded("manifest", layout.manifests, { marks, ages, options })
    : [];
  if (!options.dryRun) for (const digest of manifests) await repository.tags.dropHints(digest);
  const blobs = await removeUnneeded("blob", layout.blobs, { marks, ages, options });
  return { manifests: manifests.length, blobs };
}

async function removeUnneeded(
  kind: PrunedItem["kind"],
  directory: string,
  { marks, ages, options }: { marks: Marks; ages: Ages; options: PruneOptions },
): Promise<Digest[]> {
  const removed: Digest[] = [];
  const tell = ({ digest, size }: Candidate): void => {
    removed.push(digest);
    options.onItem?.({ repository: marks.repository.name, kind, digest, size });
  };
  const taken: Candidate[] = [];
  try {
    for (const { digest, path } of await digestFiles(directory)) {
      options.signal?.throwIfAborted();
      if (marks.needs(kind, digest)) continue;
      const file = await orMissing(stat(path));
      if (file === undefined || !ages.isOld(file)) continue;
      const candidate = { digest, path, size: file.size };
      if (options.dryRun) tell(candidate);
      else if (await take(path)) taken.push(candidate);
    }
    if (taken.length > 0) await marks.update();
  } catch (error) {
    for (const { path } of taken) await restoreTaken(path);
    throw error;
  }
  for (const candidate of taken) {
    if (marks.needs(kind, candidate.digest)) await restoreTaken(candidate.path);
    else if (await removeTakenFile(candidate.path, ages)) tell(candidate);
  }
  return removed;
}

async function removeTakenFile(path: string, ages: Ages): Promise<boolean> {
  const handle = await orMissing(open(takenPath(path)));
  if (handle === undefined) return false;
  try {
    const removed = await removeTaken(path);
    if (removed) ages.disregard(await handle.stat());
    return removed;
  } finally {
    await handle.close();
  }
}

/** What a repository needs, as of the last `update`. Manifests never change, so each is read once. */
class Marks {
  readonly repository: EmbeddedRepository;
  readonly #layout: RepositoryLayout;
  /** Absent: every manifest is needed. */
  readonly #ages: Ages | undefined;
  readonly #links = new Map<Digest, Links>();
  readonly #young = new Set<Digest>();
  #manifests = new Set<Digest>();
  #blobs = new Set<Digest>();

  constructor(repository: EmbeddedRepository, layout: RepositoryLayout, ages: Ages | undefined) {
    this.repository = repository;
    this.#layout = layout;
    this.#ages = ages;
  }

  /** A manifest that hasn't been read yet came just now. */
  needs(kind: PrunedItem["kind"], digest: Digest): boolean {
    if (kind === "blob") return this.#blobs.has(digest);
    return this.#manifests.has(digest) || !this.#links.has(digest);
  }

  async update(): Promise<void> {
    const all = await this.repository.listManifests();
    for (const digest of all) if (!this.#links.has(digest)) await this.#read(digest);
    this.#manifests = new Set();
    this.#blobs = new Set();
    const roots = this.#ages === undefined ? all : [...(await this.#tagged()), ...this.#young];
    for (const digest of roots) this.#mark(digest);
    // A signature goes with what it signs; those of signatures follow.
    for (let before = -1; before !== this.#manifests.size; ) {
      before = this.#manifests.size;
      for (const [digest, { subject }] of this.#links) {
        if (subject !== undefined && this.#manifests.has(subject)) this.#mark(digest);
      }
    }
  }

  async #read(digest: Digest): Promise<void> {
    const file = await orMissing(stat(this.#layout.manifest(digest)));
    const found = await this.repository.readManifest(digest);
    if (found.kind === "missing") return;
    const manifest = parseManifest(found.manifest, this.repository.address);
    this.#links.set(digest, linksOf(found.manifest, manifest));
    if (file === undefined || this.#ages?.isOld(file) === false) this.#young.add(digest);
  }

  #mark(root: Digest): void {
    const pending = [root];
    for (let digest = pending.pop(); digest !== undefined; digest = pending.pop()) {
      // An index may list blobs, and what it lists may be a manifest here.
      this.#blobs.add(digest);
      const links = this.#links.get(digest);
      if (links === undefined || this.#manifests.has(digest)) continue;
      this.#manifests.add(digest);
      pending.push(...links.lists);
    }
  }

  async #tagged(): Promise<Digest[]> {
    const found: Digest[] = [];
    for await (const tag of this.repository.listTags()) {
      const digest = await this.repository.tags.resolve(tag);
      if (digest !== undefined) found.push(digest);
    }
    return found;
  }
}

/** Layers that live elsewhere count as well: they may be here. Of an unknown format every digest in it is kept. */
function linksOf(raw: RawManifest, manifest: Manifest): Links {
  switch (manifest.kind) {
    case "index":
      return { lists: digestsOf(manifest.manifests), subject: manifest.subject?.digest };
    case "image":
      return { lists: digestsOf([manifest.config, ...manifest.layers]), subject: manifest.subject?.digest };
    case "unknown": {
      const text = Buffer.from(raw.bytes).toString("latin1");
      const lists = [...(text.match(/\b(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\b/g) ?? [])];
      return { lists: lists.filter(isDigest), subject: undefined };
    }
  }
}

function digestsOf(descriptors: readonly { readonly digest: Digest }[]): Digest[] {
  return descriptors.map(({ digest }) => digest);
}

interface DigestFile {
  readonly digest: Digest;
  readonly path: string;
}

async function digestFiles(directory: string): Promise<DigestFile[]> {
  const found: DigestFile[] = [];
  for (const algorithm of digestAlgorithms) {
    for (const hex of await namesIn(join(directory, algorithm))) {
      const digest = `${algorithm}:${hex}`;
      if (isDigest(digest)) found.push({ digest, path: join(directory, algorithm, hex) });
    }
  }
  return found;
}

/** Brings back what a pruning that was killed has taken away. */
async function restoreAll(layout: RepositoryLayout): Promise<void> {
  for (const directory of [layout.blobs, layout.manifests]) {
    for (const algorithm of digestAlgorithms) {
      for (const name of await namesIn(join(directory, algorithm))) {
        const original = nameOfTaken(name);
        if (original !== undefined) await restoreTaken(join(directory, algorithm, original));
      }
    }
  }
}

/**
 * Removes shared content whose only name is the shared one. A repository that links it meanwhile keeps its own name.
 * `leaving` has how many names each would have lost, where nothing was removed.
 */
export async function pruneContent(
  layout: RootLayout,
  options: PruneOptions,
  leaving: ReadonlyMap<Digest, number>,
): Promise<{ readonly blobs: number; readonly bytes: number }> {
  let blobs = 0;
  let bytes = 0;
  for (const algorithm of digestAlgorithms) {
    for (const shard of await namesIn(join(layout.blobs, algorithm))) {
      options.signal?.throwIfAborted();
      for (const name of await namesIn(join(layout.blobs, algorithm, shard))) {
        const path = join(layout.blobs, algorithm, shard, name);
        const found = await orMissing(stat(path));
        const names = (found?.nlink ?? 0) - (leaving.get(`${algorithm}:${name}` as Digest) ?? 0);
        if (found === undefined || names > 1) continue;
        if (!options.dryRun && !(await removeFile(path))) continue;
        blobs += 1;
        bytes += found.size;
      }
    }
  }
  return { blobs, bytes };
}
