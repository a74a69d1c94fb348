import type { DeletionRules } from "../oci/deletion.js";
import type { Digest } from "../oci/digest.js";
import { type Condemned, cannotDeleteWhole, type DeletionUnit, deletesTags } from "./deletion-units.js";
import type { RepositoryFacts, RepositoryRole } from "./facts.js";
import { tagsByDigest } from "./liveness.js";
import type { Operation, PlanLine, PlanStep } from "./plan.js";
import type { RecordDecision } from "./record-decisions.js";

/** Collects lines, and turns what goes into steps in an order that a registry accepts. */
export class PlanBuilder {
  readonly lines: PlanLine[] = [];
  readonly steps: PlanStep[] = [];
  /** The line of each tag that goes, and of each untagged manifest. */
  readonly #lineOf = new Map<string, number>();
  /** The step after which a tag (or a manifest) is gone. */
  readonly #goneAfter = new Map<string, number>();

  line(line: PlanLine): void {
    if (line.decision === "delete") {
      this.#lineOf.set(key(line.repository, line.tag ?? line.digest ?? ""), this.lines.length);
    }
    this.lines.push(line);
  }

  /** Adds the steps for the stages of a repository and what hangs on them: parents before children. */
  units(role: RepositoryRole, rules: DeletionRules, { units }: Condemned): void {
    const done = new Set<Digest>();
    const open = [...units.keys()].reverse();
    const entered = new Set<Digest>();
    for (let digest = open.at(-1); digest !== undefined; digest = open.at(-1)) {
      const unit = units.get(digest);
      const waiting = entered.has(digest)
        ? []
        : (unit?.parents ?? []).filter((parent) => units.has(parent) && !done.has(parent));
      entered.add(digest);
      if (waiting.length > 0 && !done.has(digest)) {
        open.push(...waiting);
        continue;
      }
      open.pop();
      if (unit === undefined || done.has(digest)) continue;
      done.add(digest);
      this.#unit(role, rules, unit);
    }
  }

  #unit(
    role: RepositoryRole,
    rules: DeletionRules,
    { digest, tags, whole, parents }: DeletionUnit,
    after: readonly number[] = [],
  ): void {
    const requires = [...after, ...parents.flatMap((parent) => this.#goneAfter.get(key(role, parent)) ?? [])];
    if (!whole) {
      for (const tag of tags) this.#tag(role, rules, tag, digest, requires);
      return;
    }
    const tagsFirst = rules.deleteManifest !== "drops-tags" && rules.deleteTag === "native";
    const before = tagsFirst ? tags.map((tag) => this.#tag(role, rules, tag, digest, requires)) : [];
    const last = before.at(-1);
    // Where the last tag takes the manifest along, or manifests can't be deleted, that was all.
    const tagsWereAll =
      tagsFirst &&
      last !== undefined &&
      (rules.deleteManifest === "none" || rules.lastTag === "deletes-manifest");
    const step = tagsWereAll
      ? last
      : this.#step(
          role,
          { op: "delete-manifest", digest, tags: tagsFirst ? [] : tags },
          tags,
          [...requires, ...before],
          digest,
        );
    this.#goneAfter.set(key(role, digest), step);
    for (const tag of tags) this.#goneAfter.set(key(role, tag), step);
  }

  #tag(
    role: RepositoryRole,
    rules: DeletionRules,
    tag: string,
    expect: Digest,
    requires: readonly number[],
  ): number {
    const op = deletesTags(rules) ? "delete-tag" : "isolate-tag";
    const step = this.#step(role, { op, tag, expect }, [tag], requires);
    this.#goneAfter.set(key(role, tag), step);
    return step;
  }

  #step(
    repository: RepositoryRole,
    operation: Operation,
    tags: readonly string[],
    requires: readonly number[],
    digest?: Digest,
  ): number {
    const names = digest === undefined ? tags : [...tags, digest];
    const lines = names.flatMap((name) => this.#lineOf.get(key(repository, name)) ?? []);
    this.steps.push({ repository, ...operation, lines, requires });
    return this.steps.length - 1;
  }

  /**
   * Adds lines and steps for records, after all stages. A record that shares its manifest with a tag that
   * stays is kept where the registry can't remove one tag.
   */
  records(decisions: readonly RecordDecision[], facts: RepositoryFacts): void {
    const siblings = tagsByDigest(facts);
    const going = new Map(
      decisions
        .filter(({ line }) => line.decision === "delete")
        .map((decision) => [decision.line.tag, decision]),
    );
    const groups = new Set<Digest>();
    for (const decision of decisions) {
      const { line } = decision;
      const digest = facts.digests.get(line.tag);
      if (digest === undefined) {
        // Not asked for yet: a draft. Asked for and without an answer: gone.
        if (!facts.recordsResolved) this.line(line);
        continue;
      }
      if (line.decision === "keep") {
        this.line({ ...line, digest });
        continue;
      }
      const shared = (siblings.get(digest) ?? []).some((tag) => !going.has(tag));
      if ((shared && !deletesTags(facts.rules)) || cannotDeleteWhole(facts.rules) !== undefined) {
        const reason = "this registry can't remove one tag safely";
        this.line({ ...line, digest, decision: "keep", reason });
        continue;
      }
      this.line({ ...line, digest });
      if (shared) this.#record(decision, facts.rules, digest);
      else groups.add(digest);
    }
    for (const digest of groups) this.#recordGroup(siblings.get(digest) ?? [], going, facts.rules, digest);
  }

  #recordGroup(
    tags: readonly string[],
    going: ReadonlyMap<string, RecordDecision>,
    rules: DeletionRules,
    digest: Digest,
  ): void {
    const [first] = tags;
    const role = first === undefined ? undefined : going.get(first)?.line.repository;
    if (role === undefined) return;
    const requires = [...new Set(tags.flatMap((tag) => this.#requirements(going.get(tag))))];
    this.#unit(role, rules, { digest, tags, whole: true, parents: [] }, requires);
  }

  #record(decision: RecordDecision, rules: DeletionRules, digest: Digest): void {
    const { repository, tag } = decision.line;
    this.#tag(repository, rules, tag, digest, this.#requirements(decision));
  }

  #requirements(decision: RecordDecision | undefined): number[] {
    return (decision?.follows ?? []).flatMap(
      ({ repository, tag }) => this.#goneAfter.get(key(repository, tag)) ?? [],
    );
  }
}

function key(role: RepositoryRole, name: string): string {
  return `${role}:${name}`;
}
