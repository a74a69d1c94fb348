import { isRemoteSource } from "../../dockerfile/remote-source.js";
import type { Instruction, TargetPlan } from "../../dockerfile/target-plan.js";
import type { CannotBuild } from "../engine.js";
import { foreignArchiveName } from "./archive-source.js";

/** Whether a plan can be built by assembling layers, without running anything. */
export function acceptance(plan: TargetPlan): { readonly kind: "accepts" } | CannotBuild {
  for (const { instructions } of plan.stages) {
    for (const instruction of instructions) {
      const reason = obstacle(instruction);
      if (reason === undefined) continue;
      const { text, position } = instruction;
      return { kind: "cannot", instruction: text, ...position, reason };
    }
  }
  return { kind: "accepts" };
}

/** Why the native builder can't do an instruction, or `undefined` when it can. */
export function obstacle(instruction: Instruction): string | undefined {
  if (instruction.kind === "run") return "the native builder runs no commands";
  if (instruction.kind !== "copy" && instruction.kind !== "add") return undefined;
  const { parents, exclude, options, chmod, sources } = instruction;
  if (parents) return "the native builder doesn't know --parents";
  if (exclude.length > 0) return "the native builder doesn't know --exclude";
  if (chmod !== undefined && !isOctal(chmod) && !chmod.includes("$"))
    return `the native builder takes --chmod only as an octal number, not as "${chmod}"`;
  if (instruction.kind === "copy") return undefined;
  if (sources.some(isRemoteSource)) return "the native builder fetches nothing from addresses";
  const option = options.find(({ key, value }) => key !== "unpack" || !["", "true", "false"].includes(value));
  if (option !== undefined) return `the native builder doesn't know --${option.key}`;
  const archive = sources.find((source) => foreignArchiveName.test(source));
  return archive === undefined ? undefined : `the native builder unpacks gzip and zstd, not ${archive}`;
}

export function isOctal(mode: string): boolean {
  return /^[0-7]{1,4}$/.test(mode);
}
