import type { Digest } from "../oci/digest.js";
import type { StageFacts, StageRead } from "../records/stage-reader.js";
import { type CleanupFacts, type RepositoryFacts, type RepositoryRole, recordsOf } from "./facts.js";
import { Liveness, type Reason } from "./liveness.js";
import type { Protection } from "./policies/policy.js";

/** What becomes of a stage or a custom tag of one repository. */
export interface TagDecision {
  readonly type: "stage" | "finalStage" | "rejectedStage" | "tombstone" | "customTag";
  readonly tag: string;
  readonly digest: Digest;
  readonly stage: string;
  readonly keep: readonly Reason[];
}

/** What was decided about one repository: the ground for its lines and steps. */
export interface RepositoryDecisions {
  readonly role: RepositoryRole;
  readonly facts: RepositoryFacts;
  readonly live: Liveness;
  readonly stages: ReadonlyMap<string, TagDecision>;
  /** Custom tags that still resolve to their stage. */
  readonly aliases: ReadonlyMap<string, TagDecision>;
}

export interface DecisionInput {
  readonly facts: CleanupFacts;
  readonly protections: readonly (Protection & { readonly keepsRejected: boolean })[];
  readonly kind: "cleanup" | "purge";
  /** Delete final stages, too, that the primary repository doesn't have (`cleanup.finalRepo: strict`). */
  readonly finalRepoStrict: boolean;
}

/** The reason for which what isn't this project's stays. */
export const otherProject = "other project";

export function decidePrimary(input: DecisionInput): RepositoryDecisions {
  return decide(input, "primary", input.facts.primary, () => undefined);
}

/**
 * A stage of the final repository goes with the one in the primary; one that the primary doesn't have is
 * reported and kept, unless strictness was asked for.
 */
export function decideFinal(
  input: DecisionInput,
  primary: RepositoryDecisions,
  facts: RepositoryFacts,
): RepositoryDecisions {
  return decide(input, "final", facts, (tag) => {
    if (input.kind === "purge") return undefined;
    const twin = primary.stages.get(tag);
    if (twin === undefined) {
      const absent = { reason: "not found in repo", evidence: `${primary.facts.address} has no such stage` };
      return input.finalRepoStrict ? undefined : absent;
    }
    const [first] = twin.keep;
    return first === undefined ? undefined : { reason: "kept in repo", evidence: first.reason };
  });
}

function decide(
  input: DecisionInput,
  role: "primary" | "final",
  facts: RepositoryFacts,
  extra: (stage: string) => Reason | undefined,
): RepositoryDecisions {
  const live = new Liveness(facts);
  const rejected = rejectedStages(facts);
  const aliases = aliasesOf(input.facts, facts);
  for (const { stage, reason, evidence, keepsRejected } of input.protections) {
    if (facts.stages.get(stage)?.kind === "tombstone") continue;
    if (keepsRejected || !rejected.has(stage)) live.keepTag(stage, { reason, evidence });
  }
  keepUsedDigests(input.facts, live);
  keepBundled(input.facts, live);
  for (const tag of facts.snapshot.foreign) {
    if (!aliases.has(tag)) live.keepTag(tag, { reason: "not made by werf", evidence: "no record names it" });
  }
  const projects = projectsByDigest(facts);
  const shared = sharedStages(input.facts);
  for (const tag of facts.stages.keys()) {
    const foreign = notOurs(input.facts.project, facts, projects, tag, rejected.get(tag));
    const reason = foreign ?? shared.get(tag) ?? unconfirmed(facts, tag) ?? extra(tag);
    if (reason !== undefined) live.keepTag(tag, reason);
  }
  return { role, facts, live, ...decisions(role, facts, live, rejected, aliases) };
}

/** Stages of ours that another project's metadata names: equal content is one stage, whoever built it. */
function sharedStages(facts: CleanupFacts): Map<string, Reason> {
  const { snapshot, records } = recordsOf(facts).repository;
  const shared = new Map<string, Reason>();
  for (const { tag, stage } of snapshot.imageMetadata) {
    const project = records.get(tag)?.project;
    if (project === undefined || project === facts.project) continue;
    shared.set(stage, { reason: otherProject, evidence: `${tag} belongs to ${project}` });
  }
  return shared;
}

/** Listings lag and drift: what only one of two shows may have been pushed just now. */
function unconfirmed(facts: RepositoryFacts, tag: string): Reason | undefined {
  if (!facts.unconfirmed.has(tag)) return undefined;
  return { reason: "the listings disagree", evidence: "only one of the registry's two listings has it" };
}

function decisions(
  role: "primary" | "final",
  facts: RepositoryFacts,
  live: Liveness,
  rejected: ReadonlyMap<string, string>,
  aliases: ReadonlyMap<string, string>,
): Pick<RepositoryDecisions, "stages" | "aliases"> {
  const stages = new Map<string, TagDecision>();
  for (const [tag, read] of facts.stages) {
    const digest = facts.digests.get(tag);
    if (digest === undefined || read.kind === "missing") continue;
    const type = typeOf(role, read, rejected.has(tag));
    stages.set(tag, { type, tag, digest, stage: tag, keep: live.tags.get(tag) ?? [] });
  }
  const customTags = new Map<string, TagDecision>();
  for (const [tag, stage] of aliases) {
    const digest = facts.digests.get(tag);
    const own = stages.get(stage);
    if (digest === undefined || own === undefined) continue;
    const kept = own.keep.map(({ reason }) => ({ reason: "its stage is kept", evidence: reason }));
    customTags.set(tag, { type: "customTag", tag, digest, stage, keep: kept });
  }
  return { stages, aliases: customTags };
}

function typeOf(role: "primary" | "final", read: StageRead, rejected: boolean): TagDecision["type"] {
  if (read.kind === "tombstone") return "tombstone";
  if (rejected) return "rejectedStage";
  return role === "final" ? "finalStage" : "stage";
}

/** Rejected stages, with the tag of the marker. */
function rejectedStages(facts: RepositoryFacts): Map<string, string> {
  return new Map(facts.snapshot.rejected.map(({ stage, tag }) => [stage, tag]));
}

/** Custom tags by name that resolve now to the very stage that their record names. All others are foreign. */
function aliasesOf(facts: CleanupFacts, repository: RepositoryFacts): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const { customTag, stage } of (facts.meta ?? facts.primary).customTags.values()) {
    const digest = repository.digests.get(customTag);
    if (digest !== undefined && digest === repository.digests.get(stage)) aliases.set(customTag, stage);
  }
  return aliases;
}

function keepUsedDigests(facts: CleanupFacts, live: Liveness): void {
  for (const { tag, digest, where } of facts.used?.images ?? []) {
    const reason = { reason: "used in Kubernetes", evidence: where };
    if (digest !== undefined) live.keepDigest(digest, reason);
    if (tag !== undefined) live.keepTag(tag, reason);
  }
}

function keepBundled(facts: CleanupFacts, live: Liveness): void {
  for (const { bundles } of [facts.primary, ...(facts.final === undefined ? [] : [facts.final])]) {
    for (const { tag, digest, protects } of bundles) {
      const reason = { reason: "published in a bundle", evidence: `bundle ${tag}` };
      live.keepDigest(digest, { reason: "bundle", evidence: `bundle ${tag}` });
      for (const needed of protects.tags) live.keepTag(needed, reason);
      for (const needed of protects.digests) live.keepDigest(needed, reason);
    }
  }
}

/** Why a stage isn't ours to delete; a stage that can't be read may belong to anybody. */
function notOurs(
  project: string,
  facts: RepositoryFacts,
  projects: ReadonlyMap<Digest, string>,
  tag: string,
  marker: string | undefined,
): Reason | undefined {
  const read = facts.stages.get(tag);
  if (read === undefined || read.kind === "missing") return undefined;
  const markedBy = marker === undefined ? undefined : facts.records.get(marker)?.project;
  if (read.kind === "tombstone") {
    const others = marker !== undefined && markedBy !== project;
    return others
      ? { reason: otherProject, evidence: `${marker} belongs to ${markedBy ?? "nobody we know"}` }
      : undefined;
  }
  if (read.kind === "broken") {
    return markedBy === project ? undefined : { reason: "can't be read", evidence: read.reason };
  }
  const owners = ownersOf(read.facts, projects);
  if (owners.size === 1 && owners.has(project)) return undefined;
  return {
    reason: otherProject,
    evidence: `it belongs to ${owners.size === 0 ? "nobody we know" : [...owners].join(", ")}`,
  };
}

/**
 * The project that a stage names; of an index that says nothing, the projects of those of its platforms that
 * are stages (an attestation among them is nobody's).
 */
function ownersOf(stage: StageFacts, projects: ReadonlyMap<Digest, string>): ReadonlySet<string> {
  if (stage.description !== undefined) return new Set([stage.description.project]);
  return new Set(stage.children.flatMap(({ digest }) => projects.get(digest) ?? []));
}

function projectsByDigest(facts: RepositoryFacts): Map<Digest, string> {
  const projects = new Map<Digest, string>();
  for (const read of facts.stages.values()) {
    if (read.kind !== "present" || read.facts.description === undefined) continue;
    projects.set(read.facts.digest, read.facts.description.project);
  }
  return projects;
}
