import { commitKey, type ImageMetadataTag } from "../records/tags.js";
import type { CleanupFacts, RepositoryRole } from "./facts.js";
import { recordsOf } from "./facts.js";
import type { PlanLine } from "./plan.js";
import { imageNamesById } from "./policies/git-history.js";
import type { GitHit } from "./policies/policy.js";
import type { RepositoryDecisions } from "./stage-decisions.js";

/** What becomes of a record. `follows`: the tags whose deletion must have succeeded before. */
export interface RecordDecision {
  readonly line: PlanLine & { readonly tag: string };
  readonly follows: readonly { readonly repository: RepositoryRole; readonly tag: string }[];
}

export interface RecordInput {
  readonly facts: CleanupFacts;
  /** Records that the history of git needs. */
  readonly gitHits: readonly GitHit[];
  readonly kind: "cleanup" | "purge";
  /** Records younger than this, in milliseconds, may belong to a build that is still running. */
  readonly graceMs: number;
  readonly primary: RepositoryDecisions;
  readonly final: RepositoryDecisions | undefined;
  /** Whether a tag, of a stage or of a custom tag, really goes: decided so, and possible here. */
  goes(repository: RepositoryRole, tag: string): boolean;
}

type Verdict = Pick<PlanLine, "decision" | "reason"> & {
  readonly because?: readonly string[];
  readonly follows?: RecordDecision["follows"];
};

const keep = (reason: string, because: readonly string[] = []): Verdict => ({
  decision: "keep",
  reason,
  because,
});
const remove = (reason: string, follows: RecordDecision["follows"] = []): Verdict => ({
  decision: "delete",
  reason,
  follows,
});

/** Decides about every record: metadata, custom tags, markers, managed images and what werf v2 left. */
export class RecordDecider {
  /** Records that had to be opened for a decision but weren't: kept. */
  readonly unread: { readonly repository: RepositoryRole; readonly tag: string }[] = [];
  readonly #input: RecordInput;
  readonly #role: RepositoryRole;
  readonly #hits: ReadonlySet<string>;
  readonly #hitStages: ReadonlySet<string>;
  readonly #commits: ReadonlySet<string>;

  constructor(input: RecordInput) {
    const { facts, gitHits } = input;
    this.#input = input;
    this.#role = recordsOf(facts).role;
    this.#hits = new Set(gitHits.map(({ record }) => record.tag));
    this.#hitStages = new Set(gitHits.map(({ record }) => record.stage));
    this.#commits = new Set([...(facts.git?.commits.keys() ?? [])].map(commitKey));
  }

  *decisions(): Iterable<RecordDecision> {
    const { facts } = this.#input;
    const { snapshot, customTags } = recordsOf(facts).repository;
    const names = imageNamesById(facts);
    for (const record of snapshot.imageMetadata) {
      const imageName = names.get(record.imageId);
      const { imageId, commit, stage } = record;
      const details =
        imageName === undefined ? { imageId, commit, stage } : { imageName, imageId, commit, stage };
      yield this.#decision("imageMetadata", record.tag, this.#metadata(record), details);
    }
    for (const [tag, { stage }] of customTags) {
      yield this.#decision("customTagRecord", tag, this.#customTag(tag), { stage });
    }
    for (const { tag, name } of snapshot.managedImages) {
      yield this.#decision("managedImage", tag, this.#owned(tag, "named by a managed-image record"), {
        imageName: name,
      });
    }
    for (const [role, repository] of this.#markerRepositories()) {
      for (const { tag, stage } of repository.facts.snapshot.rejected) {
        yield this.#decision(
          "rejectedStageMarker",
          tag,
          this.#marker(role, repository, tag, stage),
          { stage },
          role,
        );
      }
    }
    for (const [role, { facts: repository }] of this.#markerRepositories()) {
      for (const tag of repository.snapshot.metaRepoMarkers) {
        yield this.#decision("marker", tag, this.#owned(tag, "says where the records are", role), {}, role);
      }
    }
    for (const { tag, what } of snapshot.oldGeneration) {
      yield this.#decision("oldGeneration", tag, this.#owned(tag, `${what} of werf v2: purge removes it`));
    }
  }

  #decision(
    type: PlanLine["type"],
    tag: string,
    { follows = [], because = [], ...verdict }: Verdict,
    details: Partial<PlanLine> = {},
    repository: RepositoryRole = this.#role,
  ): RecordDecision {
    const { facts } = this.#input;
    const { unconfirmed } = (repository === "primary" ? facts.primary : facts[repository]) ?? facts.primary;
    if (unconfirmed.has(tag)) {
      const reason = "the listings disagree";
      return {
        line: { type, repository, tag, decision: "keep", reason, because: [], ...details },
        follows: [],
      };
    }
    return { line: { type, repository, tag, because, ...verdict, ...details }, follows };
  }

  #metadata(record: ImageMetadataTag): Verdict {
    const { primary, kind } = this.#input;
    const stage = primary.stages.get(record.stage);
    if (kind === "purge") return this.#purgedMetadata(record);
    if (stage === undefined) return this.#stale(record.tag, "its stage doesn't exist");
    if (stage.keep.length === 0) {
      if (!this.#input.goes("primary", record.stage)) return keep("its stage stays");
      return remove("its stage goes", [{ repository: "primary", tag: record.stage }]);
    }
    if (this.#hits.has(record.tag)) return keep("git policy");
    // A stage that only other policies keep needs its metadata: its commit may still be pushed.
    if (!this.#hitStages.has(record.stage)) return keep("its stage is kept");
    if (this.#commits.has(record.commit)) return remove("a newer commit keeps its stage");
    return this.#stale(record.tag, "no branch or tag has its commit, and another commit keeps its stage");
  }

  /** What belongs to a stage of ours is ours; of the rest the record's own label tells. */
  #purgedMetadata({ tag, stage }: ImageMetadataTag): Verdict {
    return this.#input.goes("primary", stage) ? remove("purge") : this.#owned(tag, "");
  }

  /** Goes if it is this project's and old enough to belong to no build that is running. */
  #stale(tag: string, reason: string): Verdict {
    const { facts, graceMs } = this.#input;
    const record = recordsOf(facts).repository.records.get(tag);
    if (record === undefined) {
      this.unread.push({ repository: this.#role, tag });
      return keep("not read yet");
    }
    if (record.project !== facts.project) return keep("other project");
    if (this.#wasToGo(tag)) return remove("an interrupted run was to delete it with its stage");
    if (record.createdMs === undefined || record.createdMs > facts.takenAtMs - graceMs) {
      return keep("young: a build may still need it");
    }
    return remove(reason);
  }

  /** Its stage went before the run broke off: no build made it, however young it is. */
  #wasToGo(tag: string): boolean {
    const { facts } = this.#input;
    const digest = facts.interrupted?.records.get(tag);
    return digest !== undefined && digest === recordsOf(facts).repository.digests.get(tag);
  }

  #customTag(tag: string): Verdict {
    const { facts, primary, final, kind } = this.#input;
    const record = recordsOf(facts).repository.customTags.get(tag);
    if (record === undefined) return keep("can't be read");
    const follows: { repository: RepositoryRole; tag: string }[] = [];
    for (const decisions of [primary, final]) {
      if (decisions === undefined) continue;
      const stage = decisions.stages.get(record.stage);
      if (stage === undefined) continue;
      if (!this.#input.goes(decisions.role, record.stage)) return keep("its stage is kept");
      follows.push({ repository: decisions.role, tag: record.stage });
      if (!decisions.aliases.has(record.customTag)) continue;
      if (!this.#input.goes(decisions.role, record.customTag)) return keep("its custom tag stays");
      follows.push({ repository: decisions.role, tag: record.customTag });
    }
    if (follows.length > 0) return remove("its stage goes", follows);
    return kind === "purge" ? this.#owned(tag, "") : this.#stale(tag, "its stage doesn't exist");
  }

  *#markerRepositories(): Iterable<[RepositoryRole, RepositoryDecisions]> {
    yield ["primary", this.#input.primary];
    if (this.#input.final !== undefined) yield ["final", this.#input.final];
  }

  #marker(role: RepositoryRole, { facts, stages }: RepositoryDecisions, tag: string, stage: string): Verdict {
    if (facts.records.get(tag)?.project !== this.#input.facts.project) return keep("other project");
    const decision = stages.get(stage);
    if (decision === undefined) return remove("its stage is gone");
    if (!this.#input.goes(role, stage)) return keep("its stage stays");
    return remove("its stage goes", [{ repository: role, tag: stage }]);
  }

  /** Records that only purge removes, and only this project's. */
  #owned(tag: string, reason: string, role: RepositoryRole = this.#role): Verdict {
    if (this.#input.kind === "cleanup") return keep(reason);
    const { facts } = this.#input;
    const record = (role === "primary" ? facts.primary : facts[role])?.records.get(tag);
    if (record === undefined) {
      this.unread.push({ repository: role, tag });
      return keep("not read yet");
    }
    return record.project === facts.project ? remove("purge") : keep("other project");
  }
}
