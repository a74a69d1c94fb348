import type { BuildContext } from "../context/context.js";
import type { Instruction, SourcePosition } from "./instruction.js";

export type { Instruction, SourcePosition } from "./instruction.js";

export type StageBase =
  | { readonly kind: "scratch" }
  /** Index into `TargetPlan.stages`. */
  | { readonly kind: "stage"; readonly stage: number }
  /** A reference as written, with global ARGs expanded; `platform` of `FROM --platform`. */
  | {
      readonly kind: "image";
      readonly reference: string;
      readonly platform?: string;
      /** `--platform=$BUILDPLATFORM`: the platform is that of whichever machine builds. */
      readonly runsOnBuilder?: true;
    };

export interface PlannedStage {
  readonly name?: string;
  readonly position: SourcePosition;
  readonly base: StageBase;
  /** As far as the Dockerfile and the build args say: what the base image's environment sets is still open. */
  readonly instructions: readonly Instruction[];
  /** The same with no variable expanded: what `expandStage` starts from when the base image is known. */
  readonly written: readonly Instruction[];
}

/** What a stage's ARG may take its value from. */
export interface ArgumentValues {
  /** `args` of the image and what its dependencies bring; they win over defaults. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** ARGs before the first FROM, and the platform's; for an `ARG name` without a default. */
  readonly globalArgs: Readonly<Record<string, string>>;
  /** The escape character of the file. */
  readonly escapeCharacter: string;
}

/** The part of a Dockerfile that a target needs, in order; the last stage is the target. */
export interface TargetPlan {
  readonly stages: readonly PlannedStage[];
  /** Build args after precedence (dependencies, `args`), for engines that execute the Dockerfile. */
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly arguments: ArgumentValues;
  /** Build args that no ARG of the target's stages, and none before the first FROM, asks for. */
  readonly unusedArgs: readonly string[];
  readonly target?: string;
}

/** The facts that go into a content digest, beside the plan. */
export interface DigestInputs {
  readonly plan: TargetPlan;
  readonly platform: string;
  readonly context: BuildContext;
  readonly cacheVersion?: string;
}
