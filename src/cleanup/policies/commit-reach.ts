import type { CommitGraph } from "../../git/commit-graph.js";
import { commitKey } from "../../records/tags.js";

/**
 * Which commits a reference reaches, following all parents. One object serves all references in turn: a
 * visit only writes a number into each commit it meets, so 100 references over 50,000 commits take a moment.
 */
export class CommitReach {
  readonly #indices = new Map<string, number>();
  readonly #parents: readonly (readonly number[])[];
  readonly #times: Float64Array;
  /** The visit that met the commit last. */
  readonly #met: Uint32Array;
  #visit = 0;

  constructor(commits: CommitGraph) {
    for (const hash of commits.keys()) this.#indices.set(commitKey(hash), this.#indices.size);
    this.#times = new Float64Array(this.#indices.size);
    this.#met = new Uint32Array(this.#indices.size);
    this.#parents = [...commits.values()].map(({ parents, committedAt }, index) => {
      this.#times[index] = committedAt;
      return parents.flatMap((parent) => this.#indices.get(commitKey(parent)) ?? []);
    });
  }

  /** The number of a commit in the graph: smaller than those of its parents. */
  indexOf(commit: string): number | undefined {
    return this.#indices.get(commitKey(commit));
  }

  /** Forgets the last reference and walks from this head; without `history` only the head itself is met. */
  visit(head: string, history: boolean): void {
    this.#visit++;
    const first = this.#indices.get(commitKey(head));
    if (first === undefined) return;
    this.#met[first] = this.#visit;
    const open = history ? [first] : [];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      for (const parent of this.#parents[index] ?? []) {
        if (this.#met[parent] === this.#visit) continue;
        this.#met[parent] = this.#visit;
        open.push(parent);
      }
    }
  }

  reaches(commit: number): boolean {
    return this.#met[commit] === this.#visit;
  }

  /** Committer date in milliseconds. */
  timeOf(commit: number): number {
    return this.#times[commit] ?? 0;
  }
}
