import type { CleanupOutcome, LineOutcome } from "../outcome.js";
import type { ObjectType, Plan, PlanLine } from "../plan.js";

/** One object; empty fields are left out. The names up to `id` are werf's. */
export interface ReportItem {
  readonly type: string;
  readonly tag?: string;
  readonly reason?: string;
  readonly imageName?: string;
  readonly stageID?: string;
  readonly commit?: string;
  readonly id?: string;
  readonly digest?: string;
  /** Every rule that decided so. */
  readonly because?: readonly string[];
}

/** The file of `--save-cleanup-report`: werf's fields, and ours behind them. */
export interface CleanupReport {
  readonly command: "cleanup" | "purge";
  readonly dryRun: boolean;
  readonly repo: string;
  readonly finalRepo?: string;
  readonly metaRepo?: string;
  readonly kept: readonly ReportItem[];
  readonly deleted: readonly ReportItem[];
  readonly failed: readonly ReportItem[];
  readonly broken: readonly string[];
  readonly warnings: readonly string[];
}

/** Types that werf's report lists among the kept. */
const keptTypes: ReadonlySet<ObjectType> = new Set([
  "stage",
  "finalStage",
  "customTag",
  "rejectedStage",
  "bundle",
]);

/** The report of a run, or, without an outcome, of a dry run: then everything planned counts as deleted. */
export function cleanupReport(
  plan: Plan,
  outcome?: Extract<CleanupOutcome, { kind: "done" }>,
): CleanupReport {
  const lines: readonly LineOutcome[] =
    outcome?.lines ??
    plan.lines.map((line) => ({ line, result: line.decision === "delete" ? "deleted" : "kept" }));
  const { primary, final, meta } = plan.repositories;
  // werf's purge reports nothing kept; what we keep is worth knowing.
  const kept = lines.filter(
    ({ line, result }) => result === "kept" && (keptTypes.has(line.type) || line.decision === "delete"),
  );
  return {
    command: plan.kind,
    dryRun: outcome === undefined,
    repo: primary ?? "",
    ...(final === undefined ? {} : { finalRepo: final }),
    ...(meta === undefined ? {} : { metaRepo: meta }),
    kept: kept.map((entry) => item(entry, true)),
    deleted: lines.filter(({ result }) => result === "deleted").map((entry) => item(entry, false)),
    failed: lines.filter(({ result }) => result === "failed").map((entry) => item(entry, true)),
    broken: outcome?.broken ?? [],
    warnings: plan.warnings,
  };
}

function item({ line, reason }: LineOutcome, withReason: boolean): ReportItem {
  return {
    type: line.type,
    ...identity(line),
    ...(withReason ? { reason: reason ?? line.reason } : {}),
    ...(line.digest === undefined ? {} : { digest: line.digest }),
    ...(line.because.length === 0 ? {} : { because: line.because }),
  };
}

/** werf names metadata and managed images by what they say, everything else by its tag. */
function identity(line: PlanLine): Partial<ReportItem> {
  if (line.type === "managedImage") return line.imageName === undefined ? {} : { imageName: line.imageName };
  if (line.type !== "imageMetadata") return line.tag === undefined ? {} : { tag: line.tag };
  return {
    ...(line.imageName === undefined ? {} : { imageName: line.imageName }),
    ...(line.stage === undefined ? {} : { stageID: line.stage }),
    ...(line.commit === undefined ? {} : { commit: line.commit }),
    ...(line.imageName !== undefined || line.imageId === undefined ? {} : { id: line.imageId }),
  };
}
