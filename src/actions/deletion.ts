import {
  type CleanupOutcome,
  type CleanupRepositories,
  cleanupReport,
  type ExecuteInput,
  executePlan,
  type LineOutcome,
  type ObjectType,
  type Plan,
  type PlanLine,
} from "../cleanup/index.js";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { type ParallelSettings, tasksAtOnce } from "./parallel.js";
import { writeReport } from "./report-file.js";
import { checkAddresses, type RegistryAccess, type Stores } from "./stores.js";

/** What cleanup and purge have in common. */
export interface DeletionSettings extends RegistryAccess, ParallelSettings {
  readonly repo?: string | undefined;
  readonly finalRepo?: string | undefined;
  readonly dryRun: boolean;
  readonly strict: boolean;
  readonly saveCleanupReport: boolean;
  readonly cleanupReportPath: string;
  /** Also print each record of werf's own; otherwise they are counted. */
  readonly verbose: boolean;
}

/** How the outcome is told. */
interface Telling {
  /** The file to write the report to. */
  readonly report: string | undefined;
  readonly verbose: boolean;
  print(line: string): void;
}

/** What werf notes about images, not images. */
const recordTypes: ReadonlySet<ObjectType> = new Set([
  "imageMetadata",
  "managedImage",
  "customTagRecord",
  "rejectedStageMarker",
  "oldGeneration",
  "marker",
]);

type Done = Extract<CleanupOutcome, { kind: "done" }>;

/** @throws WerfError `actions/repo-missing`, `oci/reference-invalid` */
export function requireRepo({ repo, finalRepo }: DeletionSettings, command: string): void {
  checkAddresses(repo, finalRepo);
  if (repo !== undefined) return;
  throw new WerfError("actions/repo-missing", `--repo=ADDRESS is required: ${command} works on a registry`, {
    hint: "name the repository with --repo or WERF_REPO",
    exitCode: 2,
  });
}

export function openRepositories(
  stores: Stores,
  settings: DeletionSettings,
  project: string,
): CleanupRepositories {
  const open = (address: string | undefined): { store: ReturnType<Stores["at"]> } => ({
    store: stores.repository(address, project, settings.dryRun ? "pull" : "delete").store,
  });
  return {
    primary: open(settings.repo),
    ...(settings.finalRepo === undefined ? {} : { final: open(settings.finalRepo) }),
  };
}

/** A plan, and what to carry it out with. */
export type Planned = Omit<ExecuteInput, "strict" | "atOnce">;

/** How often a plan is made anew because somebody pushed in between. */
const maxAttempts = 3;

/**
 * Plans, carries the plan out unless this is a dry run, and tells about it.
 * @throws WerfError `cleanup/stale` when somebody pushes again and again
 */
export async function planAndDelete(
  run: RunContext,
  settings: DeletionSettings,
  plan: () => Promise<Planned>,
  telling: Pick<Telling, "report" | "print">,
): Promise<void> {
  const { dryRun, strict, verbose } = settings;
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const planned = await plan();
    const outcome = dryRun
      ? undefined
      : await executePlan(run, { ...planned, strict, atOnce: tasksAtOnce(settings) });
    if (outcome?.kind !== "stale") return finishDeletion(planned.plan, outcome, { ...telling, verbose });
  }
  throw new WerfError(
    "cleanup/stale",
    "branches or tags moved each time a plan was made; nothing was deleted",
    { hint: "run it again when nobody pushes" },
  );
}

/**
 * Tells what was planned or done, writes the report, and fails when something failed.
 * @throws WerfError `cleanup/failed`, and in a dry run what would have stopped the run
 */
async function finishDeletion(
  plan: Plan,
  outcome: Done | undefined,
  { report, verbose, print }: Telling,
): Promise<void> {
  const lines = outcome?.lines ?? plan.lines.map(planned);
  printLines(lines, { dryRun: outcome === undefined, verbose, print });
  for (const warning of plan.warnings) print(`note: ${warning}`);
  if (report !== undefined) {
    await writeReport(report, `${JSON.stringify(cleanupReport(plan, outcome), undefined, "\t")}\n`);
  }
  if (outcome === undefined) {
    const [stop] = plan.stops;
    if (stop !== undefined) throw new WerfError(stop.code, stop.message, { hint: stop.hint });
    return;
  }
  for (const broken of outcome.broken) print(`broken: ${broken}`);
  if (outcome.success) return;
  const failed = lines.filter(({ result }) => result === "failed").length;
  throw new WerfError("cleanup/failed", failureOf(outcome, failed), {
    hint: "the lines above say why; running it again tries what is left",
  });
}

/** What people look for is printed line by line, records as a count, unless one failed. */
function printLines(
  lines: readonly LineOutcome[],
  { dryRun, verbose, print }: Pick<Telling, "verbose" | "print"> & { readonly dryRun: boolean },
): void {
  const counted = (entry: LineOutcome): boolean =>
    !verbose && entry.result !== "failed" && recordTypes.has(entry.line.type);
  const shown = lines.filter((entry) => !counted(entry));
  const records = lines.filter(counted);
  for (const entry of shown.toSorted(byResult)) print(describe(entry, dryRun));
  print(summary(shown, dryRun));
  if (records.length > 0) print(`records: ${summary(records, dryRun)}`);
}

function planned(line: PlanLine): LineOutcome {
  return { line, result: line.decision === "delete" ? "deleted" : "kept" };
}

function failureOf({ broken }: Done, failed: number): string {
  if (broken.length > 0)
    return `${broken.length} kept ${broken.length === 1 ? "image is" : "images are"} broken`;
  return failed > 0
    ? `${failed} of the deletions failed`
    : "the registry refused deletions, and --strict was given";
}

const order = { kept: 0, deleted: 1, failed: 2 } as const;

function byResult(a: LineOutcome, b: LineOutcome): number {
  return (
    order[a.result] - order[b.result] ||
    compare(a.line.type, b.line.type) ||
    compare(nameOf(a.line), nameOf(b.line))
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function nameOf({ tag, digest }: PlanLine): string {
  return tag ?? digest ?? "";
}

function describe({ line, result, reason }: LineOutcome, dryRun: boolean): string {
  const verb = { kept: "keep", failed: "FAILED", deleted: dryRun ? "would delete" : "deleted" }[result];
  const why = reason ?? line.reason;
  const what = `${verb} ${line.type} ${nameOf(line)}`;
  return why === line.type ? what : `${what}: ${why}`;
}

function summary(lines: readonly LineOutcome[], dryRun: boolean): string {
  const count = (result: LineOutcome["result"]): number =>
    lines.filter((line) => line.result === result).length;
  const failed = count("failed");
  const verb = dryRun ? "would be deleted" : "deleted";
  return `${count("kept")} kept, ${count("deleted")} ${verb}${failed === 0 ? "" : `, ${failed} failed`}`;
}
