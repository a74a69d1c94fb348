import pLimit from "p-limit";
import { isWerfError, messageOf, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import type { DeleteResult } from "../oci/deletion.js";
import type { Digest } from "../oci/digest.js";
import { isolateTag } from "../oci/isolate.js";
import type { Store } from "../oci/store.js";
import { labels } from "../records/labels.js";
import { createRecordWriter, type RecordWriter } from "../records/record-writer.js";
import { lastCleanupTag, rejectedTag } from "../records/tags.js";
import { type CleanupFacts, type RepositoryRole, repositoriesOf } from "./facts.js";
import type { CleanupRepositories } from "./inventory/inputs.js";
import { findLateArrival } from "./late-arrivals.js";
import type { CleanupOutcome, LineOutcome, StepOutcome } from "./outcome.js";
import type { Plan, PlanStep } from "./plan.js";
import { forgetPlan, savePlan } from "./saved-plan.js";
import { findBroken } from "./verification.js";

type Run = Pick<RunContext, "werfHome" | "clock" | "emit" | "signal">;

export interface ExecuteInput {
  readonly plan: Plan;
  /** What the plan was made from: the check after the run compares with it. */
  readonly facts: CleanupFacts;
  readonly repositories: CleanupRepositories;
  /** Right before the first deletion: whether branches and tags are still those of the plan. */
  checkReferences?(): Promise<"same" | "moved">;
  /** A refusal for good makes the run fail, too. Default false. */
  readonly strict?: boolean;
  /** Deletions at the same time. Default 8. */
  readonly atOnce?: number;
}

const deletionsAtOnce = 8;

/**
 * Carries out exactly this plan. Every tag is asked for again just before, and what moved is left alone; a
 * step whose ground stayed is not done.
 * @throws WerfError the first of `plan.stops`; after the first deletion failures are outcomes, not thrown
 */
export async function executePlan(run: Run, input: ExecuteInput): Promise<CleanupOutcome> {
  const { plan } = input;
  const [stop] = plan.stops;
  if (stop !== undefined) throw new WerfError(stop.code, stop.message, { hint: stop.hint });
  if (plan.steps.length > 0) {
    if (repositoriesOf(input.facts).some(([, { rules }]) => rules.deleteTag === "unknown")) {
      throw new Error("the plan of repositories that were opened for reading is only to be looked at");
    }
    const stale = await findChange(input);
    if (stale !== undefined) return { kind: "stale", because: stale };
    await savePlan(run, plan);
  }
  const outcomes = await new StepRunner(run, input).runAll();
  run.signal.throwIfAborted();
  const gone = goneDigests(plan, outcomes);
  const broken = outcomes.some(didDelete) ? await findBroken(input, gone) : [];
  const failed = outcomes.some(({ kind }) => kind === "failed");
  const refused = outcomes.some(({ kind }) => kind === "refused");
  // What failed is tried again by the next run, which needs the plan for manifests without a tag.
  // A plan without a line (cleanup is off) judged nothing of what an interrupted run has left.
  if (!failed && plan.lines.length > 0) await forgetPlan(run, plan);
  if (plan.leavesRecord) await recordCleanup(run, input);
  const success = !failed && broken.length === 0 && !(input.strict === true && refused);
  return { kind: "done", lines: lineOutcomes(plan, outcomes), broken, success };
}

async function findChange(input: ExecuteInput): Promise<string | undefined> {
  if ((await input.checkReferences?.()) === "moved") return "a branch or tag of git moved or appeared";
  return findLateArrival(input);
}

function didDelete({ kind }: StepOutcome): boolean {
  return kind === "deleted";
}

function goneDigests(plan: Plan, outcomes: readonly StepOutcome[]): Map<RepositoryRole, Set<Digest>> {
  const gone = new Map<RepositoryRole, Set<Digest>>();
  for (const [index, step] of plan.steps.entries()) {
    const kind = outcomes[index]?.kind;
    if (step.op !== "delete-manifest" || (kind !== "deleted" && kind !== "absent")) continue;
    gone.set(step.repository, (gone.get(step.repository) ?? new Set()).add(step.digest));
  }
  return gone;
}

/** Each line as its last step left it: tags may go while the manifest is refused. */
function lineOutcomes(plan: Plan, outcomes: readonly StepOutcome[]): LineOutcome[] {
  const ends = new Map<number, StepOutcome>();
  for (const [index, step] of plan.steps.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) continue;
    for (const line of step.lines) ends.set(line, outcome);
  }
  return plan.lines.map((line, index) => {
    if (line.decision === "keep") return { line, result: "kept" };
    const end = ends.get(index);
    if (end === undefined) return { line, result: "failed", reason: "no step deletes it" };
    if (end.kind === "deleted" || end.kind === "absent") return { line, result: "deleted" };
    return { line, result: end.kind === "failed" ? "failed" : "kept", reason: describe(end) };
  });
}

function describe(outcome: Exclude<StepOutcome, { kind: "deleted" | "absent" }>): string {
  switch (outcome.kind) {
    case "refused":
      return `the registry refuses: ${outcome.reason} (${outcome.answer})`;
    case "moved":
      return outcome.what;
    case "skipped":
      return outcome.because;
    case "failed":
      return outcome.message;
  }
}

async function recordCleanup(run: Run, { plan, facts, repositories }: ExecuteInput): Promise<void> {
  // A repository that is empty, or that we may not see, isn't made by looking at it.
  if (facts.primary.snapshot.tags.size === 0) return;
  const { store } = repositories.meta ?? repositories.primary;
  const now = String(run.clock.now().getTime());
  try {
    await createRecordWriter(run, store, plan.project).write(lastCleanupTag, { [labels.lastCleanup]: now });
  } catch (error) {
    run.signal.throwIfAborted();
    run.emit({
      code: "warning",
      id: "cleanup/record",
      message: `the record of this cleanup can't be written to ${store.address}: ${messageOf(error)}`,
    });
  }
}

/** Does the steps, several at once, each after those that it requires. */
class StepRunner {
  readonly #run: Run;
  readonly #input: ExecuteInput;
  readonly #writers = new Map<RepositoryRole, RecordWriter>();
  /** Set when going on makes no sense: the credentials don't suffice. */
  #halted: string | undefined;

  constructor(run: Run, input: ExecuteInput) {
    this.#run = run;
    this.#input = input;
  }

  async runAll(): Promise<StepOutcome[]> {
    const limit = pLimit(this.#input.atOnce ?? deletionsAtOnce);
    const running: Promise<StepOutcome>[] = [];
    for (const step of this.#input.plan.steps) {
      const required = step.requires.flatMap((index) => running[index] ?? []);
      running.push(
        Promise.all(required).then((before) => {
          const stayed = before.find(({ kind }) => kind !== "deleted" && kind !== "absent");
          if (stayed !== undefined)
            return { kind: "skipped", because: "what had to go before it stayed" } as const;
          return limit(() => this.#step(step));
        }),
      );
    }
    return Promise.all(running);
  }

  async #step(step: PlanStep): Promise<StepOutcome> {
    if (this.#run.signal.aborted) return { kind: "failed", message: "interrupted" };
    if (this.#halted !== undefined) return { kind: "failed", message: this.#halted };
    try {
      return this.#judge(step, await this.#perform(step));
    } catch (error) {
      const message = messageOf(error);
      if (isWerfError(error) && /unauthorized|denied/.test(error.code)) this.#halted = message;
      this.#run.emit({ code: "warning", id: "cleanup/failed", message });
      return { kind: "failed", message };
    }
  }

  /** A refusal is for good and no failure, but for one: permission that the run lacks. */
  #judge(step: PlanStep, outcome: StepOutcome): StepOutcome {
    if (outcome.kind !== "refused") return outcome;
    const address = this.#store(step.repository).address;
    const what = step.op === "delete-manifest" ? `@${step.digest}` : `:${step.tag}`;
    const message = `${address}${what} stays: ${outcome.reason} (${outcome.answer})`;
    this.#run.emit({ code: "warning", id: "cleanup/refused", message, hint: outcome.hint });
    return outcome.reason === "permission" ? { kind: "failed", message } : outcome;
  }

  async #perform(step: PlanStep): Promise<StepOutcome> {
    const store = this.#store(step.repository);
    if (step.op === "delete-manifest") return this.#deleteManifest(store, step.digest, step.tags);
    const moved = await this.#moved(store, step.tag, step.expect);
    if (moved !== undefined) return moved;
    return step.op === "delete-tag"
      ? store.deleteTag(step.tag)
      : this.#isolate(store, step.repository, step.tag, step.expect);
  }

  async #deleteManifest(store: Store, digest: Digest, tags: readonly string[]): Promise<StepOutcome> {
    for (const tag of tags) {
      const moved = await this.#moved(store, tag, digest);
      if (moved?.kind === "moved") return moved;
    }
    return store.deleteManifest(digest);
  }

  async #moved(
    store: Store,
    tag: string,
    expect: Digest,
  ): Promise<Extract<StepOutcome, { kind: "moved" | "absent" }> | undefined> {
    const stat = await store.statManifest(tag);
    if (stat.kind === "missing") return { kind: "absent" };
    const { digest } = stat.descriptor;
    if (digest === expect) return undefined;
    return { kind: "moved", what: `${tag} was ${expect} in the plan and is ${digest} now` };
  }

  /**
   * The mark of a rejected stage comes first and goes last: no builder ever takes the throw-away manifest for
   * the stage. When the deletion breaks off, the mark stays, and the next run finishes.
   */
  async #isolate(store: Store, role: RepositoryRole, tag: string, expect: Digest): Promise<StepOutcome> {
    const marker = rejectedTag(tag);
    const marked = await store.statManifest(marker);
    if (marked.kind === "missing") await this.#writer(role, store).write(marker);
    const result = await isolateTag(store, tag, expect);
    if (marked.kind === "missing") await this.#removeMarker(store, marker);
    if (result.kind !== "moved") return result;
    return { kind: "moved", what: `${tag} was ${expect} in the plan and is ${result.digest} now` };
  }

  async #removeMarker(store: Store, marker: string): Promise<DeleteResult> {
    const stat = await store.statManifest(marker);
    return stat.kind === "missing" ? { kind: "absent" } : store.deleteManifest(stat.descriptor.digest);
  }

  #writer(role: RepositoryRole, store: Store): RecordWriter {
    const known = this.#writers.get(role);
    if (known !== undefined) return known;
    const writer = createRecordWriter(this.#run, store, this.#input.plan.project);
    this.#writers.set(role, writer);
    return writer;
  }

  #store(role: RepositoryRole): Store {
    const repository = this.#input.repositories[role];
    if (repository === undefined) throw new Error(`the plan names a ${role} repository, but there is none`);
    return repository.store;
  }
}
