import type { KeepLimit, KeepPolicy } from "../../config/model.js";
import type { GitReference } from "../../git/history.js";
import { imageMetadataId } from "../../records/image-name.js";
import type { ImageMetadataTag } from "../../records/tags.js";
import { type CleanupFacts, type GitFacts, recordsOf } from "../facts.js";
import { groupBy } from "../liveness.js";
import { CommitReach } from "./commit-reach.js";
import type { GitHit, Policy } from "./policy.js";

/** Keeps what the commits of branches and tags need, image by image. */
export const gitHistory: Policy = {
  id: "git-history",
  keepsRejected: false,
  *protect(input) {
    for (const hit of input.gitHits) {
      const evidence = `image ${hit.image}: ${hit.reference.kind} ${hit.reference.name}, commit ${hit.record.commit.slice(0, 12)}`;
      yield { stage: hit.record.stage, reason: "git policy", evidence };
    }
  },
};

const hourMs = 3_600_000;
const weekMs = 168 * hourMs;

/** What werf keeps when werf.yaml has no `keepPolicies`. */
const builtInPolicies: readonly KeepPolicy[] = [
  { references: { kind: "tag", pattern: /^.*$/s, source: "/.*/", limit: { last: 10, operator: "And" } } },
  {
    references: {
      kind: "branch",
      pattern: /^.*$/s,
      source: "/.*/",
      limit: { last: 10, inMs: weekMs, operator: "And" },
    },
    imagesPerReference: { last: 2, inMs: weekMs, operator: "And" },
  },
  {
    references: {
      kind: "branch",
      pattern: /^(?:main|master|staging|production)$/,
      source: "/(main|master|staging|production)/",
    },
    // werf's page says 2, its code 10; more is kept.
    imagesPerReference: { last: 10, operator: "And" },
  },
];

interface Selected {
  readonly reference: GitReference;
  readonly images: KeepLimit;
}

/** Every record that a policy of werf.yaml (none: the built-in three) makes a reference keep. */
export function gitHits(facts: CleanupFacts, git: GitFacts, keepPolicies: readonly KeepPolicy[]): GitHit[] {
  const policies = keepPolicies.length === 0 ? builtInPolicies : keepPolicies;
  const selected = selectReferences(git.references, policies, facts.takenAtMs);
  const reach = new CommitReach(git.commits);
  const records = recordsByImage(facts, reach);
  const hits: GitHit[] = [];
  for (const { reference, images } of selected) {
    // A tag is one commit; a branch is its whole history.
    reach.visit(reference.commit, reference.kind === "branch");
    for (const [image, all] of records) {
      const reached = all.filter(({ commit }) => reach.reaches(commit));
      for (const record of keptOf(reached, reach, images, facts.takenAtMs)) {
        hits.push({ image, reference, record });
      }
    }
  }
  return hits;
}

/** A record with its commit's number, so that 100 references don't look up its hash 100 times. */
interface KnownRecord {
  readonly record: ImageMetadataTag;
  readonly commit: number;
}

/** Records of the images that werf.yaml or a managed-image record names, and whose commit git knows. */
function recordsByImage(facts: CleanupFacts, reach: CommitReach): Map<string, KnownRecord[]> {
  const names = imageNamesById(facts);
  const records = new Map<string, KnownRecord[]>();
  for (const record of recordsOf(facts).repository.snapshot.imageMetadata) {
    const name = names.get(record.imageId);
    const commit = reach.indexOf(record.commit);
    if (name === undefined || commit === undefined) continue;
    const all = records.get(name);
    if (all === undefined) records.set(name, [{ record, commit }]);
    else all.push({ record, commit });
  }
  return records;
}

/** The names of all known images by the id that metadata has for them. */
export function imageNamesById(facts: CleanupFacts): Map<string, string> {
  const managed = recordsOf(facts).repository.snapshot.managedImages.map(({ name }) => name);
  return new Map([...managed, ...facts.imageNames].map((name) => [imageMetadataId(name), name]));
}

/** The references that policies choose, each with the limit of the last policy that chose it. */
export function selectReferences(
  references: readonly GitReference[],
  policies: readonly KeepPolicy[],
  nowMs: number,
): Selected[] {
  const selected = new Map<GitReference, Selected>();
  for (const policy of policies) {
    const { kind, pattern, limit } = policy.references;
    const matching = references.filter(
      (reference) => reference.kind === kind && matches(pattern, reference.name),
    );
    const images = { last: 1, operator: "And", ...policy.imagesPerReference } as const;
    for (const reference of limited(matching, (r) => r.date.getTime(), limit ?? { operator: "And" }, nowMs)) {
      selected.set(reference, { reference, images });
    }
  }
  return [...selected.values()];
}

/** A RegExp with the flags g or y remembers where it stopped; a name is always read from its start. */
function matches(pattern: RegExp, name: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(name);
}

/** The newest `last` and those younger than `in`: both (And) or either (Or). An absent limit holds for all. */
function limited<T>(items: readonly T[], timeOf: (item: T) => number, limit: KeepLimit, nowMs: number): T[] {
  const newestFirst = [...items].sort((a, b) => timeOf(b) - timeOf(a));
  const last = limit.last ?? -1;
  const since = limit.inMs === undefined ? Number.NEGATIVE_INFINITY : nowMs - limit.inMs;
  return newestFirst.filter((item, index) => {
    const among = last < 0 || index < last;
    const young = timeOf(item) > since;
    return limit.operator === "Or" ? among || young : among && young;
  });
}

/**
 * Of one image's records that a reference reaches: those of the stages it keeps. Each stage counts with its
 * newest commit, and stages of one commit count as one.
 */
function keptOf(
  reached: readonly KnownRecord[],
  reach: CommitReach,
  limit: KeepLimit,
  nowMs: number,
): ImageMetadataTag[] {
  const newest = new Map<string, KnownRecord>();
  for (const known of reached) {
    const best = newest.get(known.record.stage);
    if (best === undefined || newestFirst(reach)(known.commit, best.commit) < 0) {
      newest.set(known.record.stage, known);
    }
  }
  const byCommit = groupBy(
    newest.values(),
    ({ commit }) => commit,
    ({ record }) => record,
  );
  const sorted = [...byCommit].sort(([a], [b]) => newestFirst(reach)(a, b));
  return limited(sorted, ([commit]) => reach.timeOf(commit), limit, nowMs).flatMap(([, records]) => records);
}

/** By date; of commits of one second a child before its parents. */
function newestFirst(reach: CommitReach): (a: number, b: number) => number {
  return (a, b) => reach.timeOf(b) - reach.timeOf(a) || a - b;
}
