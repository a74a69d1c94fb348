import type { Digest } from "../../oci/digest.js";
import { type CleanupFacts, type RepositoryFacts, repositoriesOf } from "../facts.js";
import type { Policy } from "./policy.js";

/**
 * Keeps what runs in a cluster or is declared as used, by tag, by custom tag and by digest; a digest that is
 * a child of an index keeps the index too, because the workload may name the index.
 */
export const usedImages: Policy = {
  id: "used",
  keepsRejected: true,
  *protect({ facts }) {
    if (facts.used === undefined) return;
    const aliases = new Map(
      [...(facts.meta ?? facts.primary).customTags.values()].map((custom) => [
        custom.customTag,
        custom.stage,
      ]),
    );
    const byDigest = stagesByDigest(facts);
    for (const { tag, digest, where } of facts.used.images) {
      const found = { reason: "used in Kubernetes", evidence: where };
      if (tag !== undefined) yield { stage: aliases.get(tag) ?? tag, ...found };
      for (const stage of digest === undefined ? [] : (byDigest.get(digest) ?? [])) yield { stage, ...found };
    }
  },
};

function stagesByDigest(facts: CleanupFacts): Map<Digest, Set<string>> {
  const stages = new Map<Digest, Set<string>>();
  for (const [, repository] of repositoriesOf(facts)) {
    for (const [tag, digest] of stageDigests(repository)) {
      const all = stages.get(digest);
      if (all === undefined) stages.set(digest, new Set([tag]));
      else all.add(tag);
    }
  }
  return stages;
}

/** Each stage's own digest, and those of its children. */
function* stageDigests(repository: RepositoryFacts): Iterable<[string, Digest]> {
  for (const [tag, read] of repository.stages) {
    if (read.kind !== "present") continue;
    yield [tag, read.facts.digest];
    for (const child of read.facts.children) yield [tag, child.digest];
  }
}
