import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { messageOf } from "../../core/errors.js";
import { algorithmOf, type Digest, isDigest } from "../../oci/digest.js";
import { exists, nameOfTaken, orMissing, takenPath } from "./files.js";
import { RepositoryCheck } from "./fsck-repository.js";
import { digestAlgorithms, RootLayout } from "./layout.js";
import type { RegistryRoot } from "./root.js";

/** Something that isn't as it should be. */
export interface Problem {
  /** Absent: content that repositories share. */
  readonly repository?: string;
  /** Relative to the root. */
  readonly path: string;
  readonly what: string;
}

export interface CheckOptions {
  /** Doesn't read blobs. */
  readonly quick?: boolean;
  readonly onProblem: (problem: Problem) => void;
  /** Bytes read since the last call. */
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface CheckResult {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly problems: number;
}

const readBytes = 1024 * 1024;

/**
 * Looks whether everything in a root is whole and belongs together; changes nothing. One file is looked at at a time,
 * so memory doesn't grow with the root. What a server changes meanwhile is looked at once more before it is a problem.
 */
export async function checkRoot(root: RegistryRoot, options: CheckOptions): Promise<CheckResult> {
  const check = new RootCheck(root, options);
  await check.checkContent();
  const repositories = await root.listRepositories();
  for (const name of repositories) await check.checkRepository(name);
  return { repositories: repositories.length, ...check.counts };
}

class RootCheck {
  readonly counts: { manifests: number; tags: number; blobs: number; problems: number } = {
    manifests: 0,
    tags: 0,
    blobs: 0,
    problems: 0,
  };
  readonly #root: RegistryRoot;
  readonly #layout: RootLayout;
  readonly #options: CheckOptions;

  constructor(root: RegistryRoot, options: CheckOptions) {
    this.#root = root;
    this.#layout = new RootLayout(root.directory);
    this.#options = options;
  }

  /** Every content is what its name says. */
  async checkContent(): Promise<void> {
    for (const algorithm of digestAlgorithms) {
      for await (const shard of namesOf(join(this.#layout.blobs, algorithm))) {
        for await (const name of namesOf(join(this.#layout.blobs, algorithm, shard))) {
          const path = join(this.#layout.blobs, algorithm, shard, name);
          const digest = `${algorithm}:${name}`;
          this.counts.blobs += 1;
          if (!isDigest(digest) || !name.startsWith(shard) || shard.length !== 2) {
            this.#report(path, "is no content: its name or directory is wrong");
          } else await this.#checkBytes(digest, path);
        }
      }
    }
  }

  async checkRepository(name: string): Promise<void> {
    const repository = this.#root.repository(name);
    const layout = this.#layout.repository(name);
    const report = (path: string, what: string): void => this.#report(path, what, name);
    for (const algorithm of digestAlgorithms) {
      for await (const hex of namesOf(join(layout.blobs, algorithm))) {
        const path = join(layout.blobs, algorithm, hex);
        const digest = `${algorithm}:${nameOfTaken(hex) ?? hex}`;
        if (isDigest(digest)) await this.#checkLink(digest, path, name);
        else report(path, "is no blob: its name is no digest");
      }
    }
    const { signal } = this.#options;
    const check = new RepositoryCheck(repository, layout, { report, ...(signal ? { signal } : {}) });
    for (const algorithm of digestAlgorithms) {
      for await (const hex of namesOf(join(layout.manifests, algorithm))) {
        this.counts.manifests += 1;
        await check.checkManifest(algorithm, hex);
      }
      for await (const subject of namesOf(join(layout.directory, "_referrers", algorithm))) {
        await check.checkReferrers(algorithm, subject);
      }
    }
    for await (const file of namesOf(layout.tags)) {
      this.counts.tags += 1;
      await check.checkTag(file);
    }
  }

  /** A repository's blob is the shared content; one with bytes of its own is checked as that. */
  async #checkLink(digest: Digest, path: string, name: string): Promise<void> {
    const own = await orMissing(stat(path));
    const shared = await orMissing(stat(this.#layout.content(digest)));
    if (own === undefined || (shared !== undefined && own.ino === shared.ino && own.dev === shared.dev))
      return;
    if (shared !== undefined && shared.size !== own.size) {
      this.#report(path, `has ${own.size} bytes, and the content of this digest ${shared.size}`, name);
    } else await this.#checkBytes(digest, path, name);
  }

  async #checkBytes(digest: Digest, path: string, name?: string): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const found: Stats | undefined = await orMissing(stat(path));
    if (found === undefined) return;
    if (!found.isFile()) this.#report(path, "is no file", name);
    else if (!this.#options.quick) {
      const what = await this.#hash(digest, path);
      // Removed meanwhile: then it is no problem any more.
      if (what !== undefined && ((await exists(path)) || (await exists(takenPath(path))))) {
        this.#report(path, what, name);
      }
    }
  }

  /** What is wrong with the bytes. */
  async #hash(digest: Digest, path: string): Promise<string | undefined> {
    const hash = createHash(algorithmOf(digest));
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) {
        const bytes = chunk as Uint8Array;
        this.#options.signal?.throwIfAborted();
        hash.update(bytes);
        this.#options.onBytes?.(bytes.length);
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      return `can't be read: ${messageOf(error)}`;
    }
    const got = `${algorithmOf(digest)}:${hash.digest("hex")}`;
    return got === digest ? undefined : `is damaged: its bytes are ${got}`;
  }

  #report(path: string, what: string, repository?: string): void {
    this.counts.problems += 1;
    const where = relative(this.#layout.directory, path);
    this.#options.onProblem({ path: where, what, ...(repository === undefined ? {} : { repository }) });
  }
}

/** The names in a directory, one after the other; none when it isn't there. */
async function* namesOf(directory: string): AsyncGenerator<string> {
  const entries = await orMissing(opendir(directory, { bufferSize: 256 }));
  if (entries === undefined) return;
  for await (const entry of entries) yield entry.name;
}
