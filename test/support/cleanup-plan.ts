import type { Plan, PlanLine } from "../../src/cleanup/plan.js";
import { type CleanupOptions, planCleanup } from "../../src/cleanup/planner.js";
import type { CleanupConfig } from "../../src/config/model.js";
import { cleanupConfig, type FactsWorld } from "./cleanup-facts.js";

export function plan(
  world: FactsWorld,
  config: Partial<CleanupConfig> = {},
  options: CleanupOptions = {},
): Plan {
  return planCleanup(world.facts(), { ...cleanupConfig, ...config }, options);
}

/** What a plan says about a tag, or about a manifest by its digest. */
export function line(p: Plan, tag: string, repository: PlanLine["repository"] = "primary"): PlanLine {
  const found = p.lines.find((l) => l.repository === repository && (l.tag === tag || l.digest === tag));
  if (found === undefined) throw new Error(`no line for ${tag}`);
  return found;
}

/** Tags, and digests of what has none, that a plan deletes. */
export function deleted(p: Plan): (string | undefined)[] {
  return p.lines.filter(({ decision }) => decision === "delete").map(({ tag, digest }) => tag ?? digest);
}
