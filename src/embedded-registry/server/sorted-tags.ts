import type { Clock } from "../../core/run-context.js";
import { BoundedCache } from "../store/bounded-cache.js";
import type { EmbeddedRepository } from "../store/repository.js";

/** A directory that changed so lately may change again within the same tick of the file system's clock. */
const settledMs = 100;

interface Listing {
  readonly version: bigint;
  readonly tags: readonly string[];
}

/** The tags of a repository in the order of pages, read once for all pages as long as none comes or goes. */
export class SortedTags {
  readonly #clock: Clock;
  readonly #cache = new BoundedCache<Listing>(500_000);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async of(repository: EmbeddedRepository): Promise<readonly string[]> {
    const version = await repository.tags.version();
    if (version === undefined) return [];
    const cached = this.#cache.get(repository.name);
    if (cached?.version === version) return cached.tags;
    const tags: string[] = [];
    for await (const tag of repository.listTags()) tags.push(tag);
    tags.sort();
    const ageMs = this.#clock.now().getTime() - Number(version / 1_000_000n);
    if (ageMs > settledMs) this.#cache.set(repository.name, { version, tags }, tags.length + 1);
    return tags;
  }
}

/** How many of a sorted list come before or are equal to `last`, which need not be in it. */
export function countUpTo(sorted: readonly string[], last: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? "") <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}
