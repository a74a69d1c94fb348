import { WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import type { TargetPlan } from "../dockerfile/target-plan.js";
import { buildahEngine } from "./buildah/engine.js";
import type { Engine } from "./engine.js";
import { nativeEngine } from "./native/engine.js";

/** In the order in which `auto` tries them. */
const engines: readonly Engine[] = [nativeEngine, buildahEngine];

export type BuilderChoice = "auto" | Engine["id"];

/** @throws WerfError `build/builder-unknown` */
export function parseBuilder(text: string): BuilderChoice {
  if (text === "auto") return text;
  const engine = engines.find((e) => e.id === text);
  if (engine !== undefined) return engine.id;
  throw new WerfError("build/builder-unknown", `"${text}" is not a builder`, {
    hint: `there are auto, ${engines.map((e) => e.id).join(", ")}`,
    exitCode: 2,
  });
}

/**
 * The engine for a plan: the first that can do it and is there.
 * @throws WerfError `build/no-engine`, naming the instruction and what to install
 */
export async function selectEngine(
  run: RunContext,
  plan: TargetPlan,
  choice: BuilderChoice,
): Promise<Engine> {
  const candidates = choice === "auto" ? engines : engines.filter((e) => e.id === choice);
  const obstacles: string[] = [];
  for (const engine of candidates) {
    if (engine.accepts(plan).kind === "cannot") continue;
    const presence = await engine.available(run);
    if (presence.kind === "available") return engine;
    obstacles.push(presence.hint);
  }
  const missing =
    obstacles.length > 0 && choice !== "auto" ? `the ${choice} builder is not there` : undefined;
  for (const engine of engines.filter((e) => !candidates.includes(e) && e.accepts(plan).kind === "accepts")) {
    const presence = await engine.available(run);
    const also = presence.kind === "available" ? "" : `, and ${presence.hint}`;
    obstacles.push(`leave out --builder ${choice}: the ${engine.id} builder can build this${also}`);
  }
  throw noEngine(plan, missing, obstacles);
}

function noEngine(plan: TargetPlan, missing: string | undefined, obstacles: readonly string[]): WerfError {
  const cannot = engines.map((e) => e.accepts(plan)).find((verdict) => verdict.kind === "cannot");
  const why = missing ?? cannot?.reason ?? "no builder can build this";
  const where = cannot === undefined ? "" : `${cannot.file}:${cannot.line}: ${cannot.instruction}: `;
  return new WerfError("build/no-engine", `${where}${why}`, { hint: obstacles.join("\n") });
}
