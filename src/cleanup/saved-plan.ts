import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RunContext } from "../core/run-context.js";
import { type Digest, digestOf, hexOf, isDigest } from "../oci/digest.js";
import { replaceFile } from "../records/facts-cache.js";
import type { Interrupted, InterruptedManifest } from "./facts.js";
import type { Plan, PlanLine } from "./plan.js";

type Home = Pick<RunContext, "werfHome">;
type Addresses = Plan["repositories"];

/**
 * The plan of a run that is under way. What a later run needs of it are the manifests without a tag, which
 * nothing else remembers once their parent is gone, and the records of stages that are gone already, which
 * would look like those of a build that is running. Everything else is found and judged anew, because since
 * then somebody may have come to need it.
 */
function fileOf(run: Home, project: string, addresses: Addresses): string {
  const key = JSON.stringify([project, addresses.primary, addresses.final, addresses.meta]);
  return join(run.werfHome, "plans", `${hexOf(digestOf(key))}.json`);
}

/** Written, whole and synced, before the first deletion. */
export async function savePlan(run: Home, plan: Plan): Promise<void> {
  const file = fileOf(run, plan.project, plan.repositories);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await replaceFile(file, `${JSON.stringify(plan)}\n`);
}

export async function forgetPlan(run: Home, plan: Pick<Plan, "project" | "repositories">): Promise<void> {
  await rm(fileOf(run, plan.project, plan.repositories), { force: true });
}

/** What a run that was interrupted had still to remove; nothing when the file is damaged. */
export async function readInterrupted(
  run: Home,
  project: string,
  addresses: Addresses,
): Promise<Interrupted> {
  let plan: Partial<Plan> = {};
  try {
    plan = JSON.parse(await readFile(fileOf(run, project, addresses), "utf8")) as Partial<Plan>;
  } catch {
    // No plan, or one that a broken disk has left: everything is judged anew.
  }
  const lines = plan.version === 1 && Array.isArray(plan.lines) ? plan.lines : [];
  const manifests: InterruptedManifest[] = [];
  const records = new Map<string, Digest>();
  for (const { type, repository, tag, digest, decision } of lines) {
    if (decision !== "delete" || digest === undefined || !isDigest(digest)) continue;
    if (type === "untagged") manifests.push({ repository, digest });
    if (tag !== undefined && recordTypes.has(type)) records.set(tag, digest);
  }
  return { manifests, records };
}

const recordTypes: ReadonlySet<string> = new Set<PlanLine["type"]>(["imageMetadata", "customTagRecord"]);
