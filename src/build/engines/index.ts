import { WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import type { TargetPlan } from "../dockerfile/target-plan.js";
import { buildahEngine } from "./buildah/engine.js";
import type { CannotBuild, Engine } from "./engine.js";
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
  let cannot: CannotBuild | undefined;
  for (const engine of candidates) {
    const verdict = engine.accepts(plan);
    if (verdict.kind === "cannot") {
      cannot ??= verdict;
      continue;
    }
    const presence = await engine.available(run);
    if (presence.kind === "available") return engine;
    obstacles.push(presence.hint);
  }
  throw noEngine(cannot, obstacles, choice);
}

function noEngine(
  cannot: CannotBuild | undefined,
  obstacles: readonly string[],
  choice: BuilderChoice,
): WerfError {
  const hint =
    obstacles.length > 0 ? obstacles.join("\n") : `choose another builder than --builder ${choice}`;
  if (cannot === undefined) return new WerfError("build/no-engine", "no builder is there", { hint });
  return new WerfError(
    "build/no-engine",
    `${cannot.file}:${cannot.line}: ${cannot.instruction}: ${cannot.reason}`,
    { hint },
  );
}
