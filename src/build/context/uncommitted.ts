import { posix } from "node:path";
import { isRemoteSource } from "../dockerfile/remote-source.js";
import type { Instruction, TargetPlan } from "../dockerfile/target-plan.js";
import { ignoreFileCandidates } from "./ignore.js";
import type { OpenedContext } from "./open.js";
import { sourceNames } from "./sources.js";

/**
 * Those of the `uncommitted` files that the image would have, were they committed: below its context, not hidden
 * by the ignore file, and named by an instruction of its plan; also the Dockerfile and the ignore files
 * themselves. Relative to the work tree.
 */
export function uncommittedOf(
  uncommitted: readonly string[],
  context: OpenedContext,
  plan: Pick<TargetPlan, "stages">,
): readonly string[] {
  const { directory, dockerfile, ignored } = context;
  const sources = plan.stages.flatMap(({ instructions }) => instructions.flatMap(contextSourcesOf));
  const candidates = ignoreFileCandidates(posix.relative(directory, dockerfile));
  const rules = new Set([dockerfile, ...candidates.map((name) => posix.join(directory, name))]);
  const prefix = directory === "" ? "" : `${directory}/`;
  return uncommitted.filter((path) => {
    if (rules.has(path)) return true;
    if (!path.startsWith(prefix)) return false;
    const inside = path.slice(prefix.length);
    return ignored?.hides(inside) !== true && sources.some((source) => sourceNames(source, inside));
  });
}

/** What an instruction takes from the context; all of it, where only the build will tell. */
function contextSourcesOf(instruction: Instruction): readonly string[] {
  switch (instruction.kind) {
    case "copy":
    case "add":
      if (instruction.from !== undefined) return [];
      if (instruction.sourcesUnresolved === true) return ["."];
      return instruction.sources.filter((source) => !isRemoteSource(source));
    case "run":
      return instruction.mounts.some(({ type, from }) => type === "bind" && from === undefined) ? ["."] : [];
    default:
      return [];
  }
}
