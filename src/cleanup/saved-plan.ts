import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RunContext } from "../core/run-context.js";
import { digestOf, hexOf, isDigest } from "../oci/digest.js";
import { replaceFile } from "../records/facts-cache.js";
import type { InterruptedManifest } from "./facts.js";
import type { Plan } from "./plan.js";

type Home = Pick<RunContext, "werfHome">;
type Addresses = Plan["repositories"];

/**
 * The plan of a run that is under way. What a later run needs of it are the manifests without a tag: once
 * their parent is gone, nothing else remembers them. Everything with a tag is found and judged anew, because
 * since then somebody may have come to need it.
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

/** The untagged manifests that a run which was interrupted had in its plan; none when the file is damaged. */
export async function readInterrupted(
  run: Home,
  project: string,
  addresses: Addresses,
): Promise<InterruptedManifest[]> {
  let plan: Partial<Plan>;
  try {
    plan = JSON.parse(await readFile(fileOf(run, project, addresses), "utf8")) as Partial<Plan>;
  } catch {
    return [];
  }
  if (plan.version !== 1 || !Array.isArray(plan.lines)) return [];
  return plan.lines.flatMap(({ type, repository, digest, decision }) => {
    const untagged = type === "untagged" && decision === "delete" && digest !== undefined;
    return untagged && isDigest(digest) ? [{ repository, digest }] : [];
  });
}
