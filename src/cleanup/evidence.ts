import type { CleanupConfig } from "../config/model.js";
import { WerfError } from "../core/errors.js";
import { commitKey } from "../records/tags.js";
import { type CleanupFacts, recordsOf, repositoriesOf } from "./facts.js";
import type { PlanLine, PlanStop } from "./plan.js";
import { otherProject } from "./stage-decisions.js";

/** `--max-delete N|P%`: how many stages, or which share of them, a run may delete. */
export type MaxDelete =
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "percent"; readonly percent: number };

const guardPercent = 60;
const guardCount = 20;

/** @throws WerfError `cleanup/max-delete` */
export function parseMaxDelete(text: string): MaxDelete {
  const [, digits, percent] = /^([0-9]{1,9})(%?)$/.exec(text.trim()) ?? [];
  const number = Number(digits);
  if (digits === undefined || (percent === "%" && number > 100)) {
    throw new WerfError("cleanup/max-delete", `"${text}" is neither a number of stages nor a share of them`, {
      hint: "write for example --max-delete 50, or --max-delete 80%",
      exitCode: 2,
    });
  }
  return percent === "%" ? { kind: "percent", percent: number } : { kind: "count", count: number };
}

/** Why too little is known to delete anything: no evidence never means that nothing is needed. */
export function missingEvidence(facts: CleanupFacts, config: CleanupConfig): PlanStop[] {
  const stops: PlanStop[] = [...missingRepositories(facts), ...unreadableBundles(facts)];
  const { snapshot, address } = { ...recordsOf(facts).repository };
  const stages = facts.primary.snapshot.stages.length + (facts.final?.snapshot.stages.length ?? 0);
  if (stages > 0 && snapshot.imageMetadata.length === 0 && snapshot.managedImages.length === 0) {
    stops.push({
      code: "cleanup/no-records",
      message: `there are ${stages} stages, but ${address} has no meta-* and no managed-image-* record: nothing tells which of them are needed`,
      hint: "check that this is the repository that builds publish to and that it may be listed; a repository that is no longer needed is emptied by purge",
    });
  }
  if (!config.disableGitHistoryBasedPolicy && (facts.git?.references.length ?? 0) === 0) {
    stops.push({
      code: "cleanup/no-references",
      message: "git shows no branches and no tags, so everything would look unneeded",
      hint: "run in a full clone whose remote is named origin, or set cleanup.disableGitHistoryBasedPolicy",
    });
  }
  for (const { name } of facts.used?.clusters.filter(({ workloads }) => workloads === 0) ?? []) {
    stops.push({
      code: "cleanup/no-workloads",
      message: `the cluster ${name} shows no workload at all`,
      hint: "check the context and the rights of its user, or pass --without-kube",
    });
  }
  return stops;
}

/** Many registries answer so to a user without permission; what lies there may need what would be deleted. */
function missingRepositories(facts: CleanupFacts): PlanStop[] {
  return repositoriesOf(facts)
    .filter(([, { missing }]) => missing)
    .map(([role, { address }]) => ({
      code: "cleanup/repository-missing",
      message: `the registry doesn't know ${address}, or doesn't show it to this user`,
      hint: `check the address and the login; ${role === "primary" ? "before the first build there is nothing to clean up" : `leave out --${role}-repo until something was published there`}`,
    }));
}

/** Bundles are roots for purge, too. */
export function unreadableBundles(facts: CleanupFacts): PlanStop[] {
  return repositoriesOf(facts).flatMap(([, { address, unreadableBundles: all }]) =>
    all.map(({ tag, reason }) => ({
      code: "cleanup/bundle-unreadable" as const,
      message: `the bundle ${address}:${tag} can't be read: ${reason}`,
      hint: "its images can't be told from unneeded ones; publish it again, or remove the tag if nobody needs it",
    })),
  );
}

/** Git knows none of the commits that images were recorded for: probably it is another repository's history. */
export function strangeHistory(
  facts: CleanupFacts,
  config: CleanupConfig,
  lines: readonly PlanLine[],
  maxDelete: MaxDelete | undefined,
): PlanStop[] {
  const { snapshot, address } = recordsOf(facts).repository;
  const goes = lines.some(({ type, decision }) => stageTypes.has(type) && decision === "delete");
  if (config.disableGitHistoryBasedPolicy || maxDelete !== undefined || !goes) return [];
  if (facts.git === undefined || snapshot.imageMetadata.length === 0) return [];
  const known = new Set([...facts.git.commits.keys()].map(commitKey));
  if (snapshot.imageMetadata.some(({ commit }) => known.has(commit))) return [];
  return [
    {
      code: "cleanup/strange-history",
      message: `no branch and no tag has any of the commits that images in ${address} were built from`,
      hint: "check that this is the project's own clone; if all those commits are really gone, allow it with --max-delete",
    },
  ];
}

/** More than most of the stages would go: somebody has to say that this is meant. */
export function tooMany(lines: readonly PlanLine[], maxDelete: MaxDelete | undefined): PlanStop[] {
  return (["primary", "final"] as const).flatMap((role) => {
    const stages = lines.filter(
      (line) => line.repository === role && stageTypes.has(line.type) && !isOthers(line),
    );
    const going = stages.filter(({ decision }) => decision === "delete").length;
    const share = stages.length === 0 ? 0 : (100 * going) / stages.length;
    if (!exceeds(going, share, maxDelete)) return [];
    return [
      {
        code: "cleanup/too-many" as const,
        message: `${going} of ${stages.length} stages (${Math.floor(share)}%) of the ${role} repository would go`,
        hint: `look at the plan with --dry-run; if it is right, allow it with --max-delete ${going}`,
      },
    ];
  });
}

/** A repository may be shared: stages of other projects would make any share of ours look small. */
function isOthers({ because }: PlanLine): boolean {
  return because.some((reason) => reason.startsWith(`${otherProject}:`));
}

const stageTypes: ReadonlySet<string> = new Set(["stage", "finalStage", "rejectedStage"]);

function exceeds(count: number, share: number, max: MaxDelete | undefined): boolean {
  if (max === undefined) return count > guardCount && share > guardPercent;
  return max.kind === "count" ? count > max.count : share > max.percent;
}
