import type { CleanupConfig } from "../config/model.js";
import type { Digest } from "../oci/digest.js";
import { type Condemned, condemn } from "./deletion-units.js";
import { type MaxDelete, missingEvidence, strangeHistory, tooMany, unreadableBundles } from "./evidence.js";
import { type CleanupFacts, type RepositoryFacts, recordsOf, repositoriesOf } from "./facts.js";
import type { Plan, PlanLine, PlanStep } from "./plan.js";
import { PlanBuilder } from "./plan-builder.js";
import { hoursOf } from "./policies/built-within-hours.js";
import { gitHits } from "./policies/git-history.js";
import { policies } from "./policies/index.js";
import { RecordDecider, type RecordInput } from "./record-decisions.js";
import {
  type DecisionInput,
  decideFinal,
  decidePrimary,
  type RepositoryDecisions,
  type TagDecision,
} from "./stage-decisions.js";

export interface CleanupOptions {
  /** Overrides `keepImagesBuiltWithinLastNHours` of werf.yaml. */
  readonly keepBuiltWithinHours?: number;
  readonly maxDelete?: MaxDelete;
  /** Also delete stages of the final repository that the primary doesn't have. Default false. */
  readonly finalRepoStrict?: boolean;
}

const hourMs = 3_600_000;
/** However short the hours of the policy: a record this young may belong to a build that is running. */
const minGraceHours = 2;

/** Plans a cleanup. Pure: the same facts give the same plan, and nothing is read or written. */
export function planCleanup(facts: CleanupFacts, config: CleanupConfig, options: CleanupOptions = {}): Plan {
  if (config.disable) return disabledPlan(facts);
  const byGit = !config.disableGitHistoryBasedPolicy && facts.git !== undefined;
  const hits = byGit ? gitHits(facts, facts.git, config.keepPolicies) : [];
  const input = { facts, config, gitHits: hits, ...options };
  const protections = policies.flatMap((policy) =>
    [...policy.protect(input)].map((protection) => ({ ...protection, keepsRejected: policy.keepsRejected })),
  );
  const graceHours = Math.max(hoursOf(input), minGraceHours);
  const finalRepoStrict = options.finalRepoStrict ?? false;
  const graceMs = graceHours * hourMs;
  const plan = build({ facts, protections, kind: "cleanup", finalRepoStrict }, { gitHits: hits, graceMs });
  const stops = [
    ...missingEvidence(facts, config),
    ...strangeHistory(facts, config, plan.lines, options.maxDelete),
    ...tooMany(plan.lines, options.maxDelete),
  ];
  return { ...plan, stops };
}

/**
 * Plans a purge: everything of this project goes, whatever git and clusters say. What other projects,
 * foreign tags and published bundles need stays.
 */
export function planPurge(facts: CleanupFacts): Plan {
  const input = { facts, protections: [], kind: "purge", finalRepoStrict: true } as const;
  const plan = build(input, { gitHits: [], graceMs: 0 });
  return { ...plan, stops: unreadableBundles(facts) };
}

/** `cleanup.disable`: werf deletes the records and keeps the stages; we touch nothing at all. */
function disabledPlan(facts: CleanupFacts): Plan {
  return {
    ...planHead(facts, "cleanup"),
    lines: [],
    steps: [],
    stops: [],
    unread: [],
    leavesRecord: false,
    warnings: ["cleanup.disable is set in werf.yaml: nothing is deleted, and no record is touched"],
  };
}

function build(input: DecisionInput, records: Pick<RecordInput, "gitHits" | "graceMs">): Plan {
  const { facts, kind } = input;
  const builder = new PlanBuilder();
  const primary = decidePrimary(input);
  const final = facts.final === undefined ? undefined : decideFinal(input, primary, facts.final);
  const interrupted = facts.interrupted?.manifests ?? [];
  const all = [primary, ...(final === undefined ? [] : [final])].map((decisions) => ({
    decisions,
    condemned: condemn(decisions, interrupted),
  }));
  for (const { decisions, condemned } of all) {
    for (const line of linesOf(decisions, condemned)) builder.line(line);
    builder.units(decisions.role, decisions.facts.rules, condemned);
  }
  const going = new Set(all.flatMap(({ decisions, condemned }) => [...goingTags(decisions, condemned)]));
  const decider = new RecordDecider({
    facts,
    kind,
    ...records,
    primary,
    final,
    goes: (role, tag) => going.has(`${role}:${tag}`),
  });
  const decided = [...decider.decisions()];
  for (const [role, repository] of repositoriesOf(facts)) {
    builder.records(
      decided.filter(({ line }) => line.repository === role),
      repository,
    );
  }
  return {
    ...planHead(facts, kind),
    lines: builder.lines,
    steps: builder.steps,
    stops: [],
    warnings: [...warningsOf(facts), ...untriedWarnings(facts, builder.steps)],
    leavesRecord: kind === "cleanup",
    unread: decider.unread,
  };
}

function planHead(
  facts: CleanupFacts,
  kind: Plan["kind"],
): Pick<Plan, "version" | "kind" | "project" | "takenAt" | "repositories"> {
  const repositories = Object.fromEntries(
    repositoriesOf(facts).map(([role, { address }]) => [role, address]),
  );
  return {
    version: 1,
    kind,
    project: facts.project,
    takenAt: new Date(facts.takenAtMs).toISOString(),
    repositories,
  };
}

function* goingTags({ role }: RepositoryDecisions, { units }: Condemned): Iterable<string> {
  for (const { tags } of units.values()) for (const tag of tags) yield `${role}:${tag}`;
}

function* linesOf(decisions: RepositoryDecisions, condemned: Condemned): Iterable<PlanLine> {
  const { role: repository, facts } = decisions;
  for (const decision of [...decisions.stages.values(), ...decisions.aliases.values()]) {
    yield tagLine(decisions, condemned, decision);
  }
  for (const { tag } of facts.snapshot.attached) {
    const digest = facts.digests.get(tag);
    if (digest === undefined) continue;
    yield { type: "attached", repository, tag, digest, ...attachedVerdict(condemned, tag, digest) };
  }
  for (const [digest, because] of condemned.untagged) {
    const goes = condemned.units.has(digest);
    const reason = goes ? "nothing kept points to it" : "this registry can't delete manifests";
    yield {
      type: "untagged",
      repository,
      digest,
      decision: goes ? "delete" : "keep",
      reason,
      because: [because],
    };
  }
  yield* foreignLines(decisions);
}

function tagLine({ role, live }: RepositoryDecisions, condemned: Condemned, decision: TagDecision): PlanLine {
  const { type, tag, digest, stage, keep } = decision;
  const head = { type, repository: role, tag, digest, ...(type === "customTag" ? { stage } : {}) };
  const [first] = keep;
  if (first !== undefined) {
    const because = keep.map(({ reason, evidence }) => `${reason}: ${evidence}`);
    return { ...head, decision: "keep", reason: first.reason, because };
  }
  const refused = condemned.refused.get(tag);
  if (refused !== undefined) return { ...head, decision: "keep", reason: refused, because: [refused] };
  const siblings = live.tagsOf(digest).filter((other) => other !== tag);
  const because =
    siblings.length === 0 ? [] : [`the same manifest has the tags ${siblings.slice(0, 5).join(", ")}`];
  return { ...head, decision: "delete", reason: deletionReasons[type], because };
}

const deletionReasons: Readonly<Record<TagDecision["type"], string>> = {
  stage: "no policy keeps it",
  finalStage: "no policy keeps it",
  rejectedStage: "a builder rejected it",
  tombstone: "an interrupted deletion left it",
  customTag: "its stage goes",
};

function attachedVerdict(
  { attached, refused, units }: Condemned,
  tag: string,
  digest: Digest,
): Pick<PlanLine, "decision" | "reason" | "because"> {
  const subject = attached.get(tag);
  if (subject === undefined) return { decision: "keep", reason: "attached to a kept image", because: [] };
  const because = [`it belongs to ${subject}`];
  const goes = !refused.has(tag) && units.get(digest)?.tags.includes(tag) === true;
  return goes
    ? { decision: "delete", reason: "what it belongs to goes", because }
    : { decision: "keep", reason: refused.get(tag) ?? "this registry can't delete it", because };
}

function* foreignLines({ role, facts, aliases }: RepositoryDecisions): Iterable<PlanLine> {
  const bundles = new Set(facts.bundles.map(({ tag }) => tag));
  for (const tag of facts.snapshot.foreign) {
    const digest = facts.digests.get(tag);
    if (digest === undefined || aliases.has(tag)) continue;
    const isBundle = bundles.has(tag);
    yield {
      type: isBundle ? "bundle" : "foreign",
      repository: role,
      tag,
      digest,
      decision: "keep",
      reason: isBundle ? "bundle" : "not made by werf",
      because: [],
    };
  }
}

/** A plan that is only to be looked at asks no registry how it deletes: that would take a deletion. */
function untriedWarnings(facts: CleanupFacts, steps: readonly PlanStep[]): string[] {
  return repositoriesOf(facts).flatMap(([role, { address, rules }]) => {
    if (rules.deleteTag !== "unknown") return [];
    const alone = steps.filter((step) => step.repository === role && step.op === "delete-tag").length;
    return alone === 0
      ? []
      : [
          `${alone} tags share their manifest with something that stays; whether ${address} can remove them alone, or keeps them, only a run finds out`,
        ];
  });
}

function warningsOf(facts: CleanupFacts): string[] {
  const unreadable = repositoriesOf(facts).flatMap(([, repository]: [string, RepositoryFacts]) =>
    repository.unreadable.map(
      ({ tag, reason }) =>
        `${repository.address}:${tag} can't be read (${reason}); no untagged manifest is deleted there`,
    ),
  );
  const old = recordsOf(facts).repository.snapshot.oldGeneration.length;
  return old === 0 ? unreadable : [...unreadable, `${old} records of werf v2 are left; purge removes them`];
}
