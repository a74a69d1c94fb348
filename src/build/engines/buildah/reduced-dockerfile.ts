import { formatPlatform, parsePlatform } from "../../../oci/platform.js";
import { readLines } from "../../dockerfile/lines.js";
import { parseDockerfile } from "../../dockerfile/parser.js";
import type { PlannedStage, TargetPlan } from "../../dockerfile/target-plan.js";

/**
 * The Dockerfile as buildah gets it: base images are named by their ID in its storage, so that it asks no
 * registry; stages that the target doesn't need are empty, because old versions would build them; what comes
 * after the target is gone. Lines keep their numbers.
 * @param imageIds ID of the base image, by index of the planned stage
 */
export function reducedDockerfile(
  dockerfile: { readonly path: string; readonly bytes: Uint8Array },
  plan: TargetPlan,
  imageIds: ReadonlyMap<number, string>,
): string {
  const lines = Buffer.from(dockerfile.bytes).toString("utf8").split("\n");
  const logical = readLines(dockerfile.bytes, dockerfile.path).lines.map(({ line }) => line);
  const { stages } = parseDockerfile(dockerfile.bytes, dockerfile.path);
  const planned = new Map(plan.stages.map((stage, index) => [stage.position.line, { stage, index }]));
  const last = Math.max(...planned.keys());
  for (const [i, { position, name }] of stages.entries()) {
    const start = position.line;
    const end = stages[i + 1]?.position.line ?? lines.length + 1;
    const needed = planned.get(start);
    const as = name === undefined ? "" : ` AS ${name}`;
    if (start > last) blank(lines, start, end);
    else if (needed === undefined) {
      blank(lines, start, end);
      lines[start - 1] = `FROM scratch${as}`;
    } else {
      const id = imageIds.get(needed.index);
      if (id === undefined) continue;
      // Only comments and continuations stand between this FROM and the next instruction.
      blank(lines, start, logical.find((line) => line > start) ?? end);
      lines[start - 1] = `FROM ${platformFlag(needed.stage)}${id}${as}`;
    }
  }
  return lines.join("\n");
}

function platformFlag({ base }: PlannedStage): string {
  if (base.kind !== "image" || base.platform === undefined) return "";
  return `--platform=${formatPlatform(parsePlatform(base.platform))} `;
}

/** Empties lines from `start` up to, not including, `end`; both 1-based. */
function blank(lines: string[], start: number, end: number): void {
  lines.fill("", start - 1, end - 1);
}
