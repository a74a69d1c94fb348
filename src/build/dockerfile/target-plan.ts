import type { BuildContext } from "../context/context.js";

/** Where an instruction stands, for messages: `path:line`. */
export interface SourcePosition {
  readonly file: string;
  /** 1-based, of the instruction's first line. */
  readonly line: number;
}

export type StageBase =
  | { readonly kind: "scratch" }
  /** Index into `TargetPlan.stages`. */
  | { readonly kind: "stage"; readonly stage: number }
  /** A reference as written, with global ARGs expanded; `platform` of `FROM --platform`. */
  | { readonly kind: "image"; readonly reference: string; readonly platform?: string };

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** Text with `$VARIABLES` that only the base image's environment may resolve stays unexpanded until the build. */
export type Instruction = {
  readonly position: SourcePosition /** As written, on one line. */;
  readonly text: string;
} & (
  | {
      readonly kind: "arg";
      readonly name: string /** After build args; absent: declared without a value. */;
      readonly value?: string;
    }
  | { readonly kind: "env"; readonly pairs: readonly KeyValue[] }
  | { readonly kind: "label"; readonly pairs: readonly KeyValue[] }
  | {
      readonly kind: "copy" | "add";
      readonly sources: readonly string[];
      readonly heredocs: readonly {
        readonly name: string;
        readonly content: string /** Unquoted delimiter. */;
        readonly expand: boolean;
      }[];
      readonly destination: string;
      readonly from?:
        | { readonly kind: "stage"; readonly stage: number }
        | { readonly kind: "image"; readonly reference: string };
      readonly chown?: string;
      readonly chmod?: string;
    }
  | { readonly kind: "workdir"; readonly path: string }
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "expose"; readonly ports: readonly string[] }
  | { readonly kind: "volume"; readonly paths: readonly string[] }
  | { readonly kind: "entrypoint" | "cmd"; readonly form: "exec"; readonly argv: readonly string[] }
  | { readonly kind: "entrypoint" | "cmd"; readonly form: "shell"; readonly command: string }
  | { readonly kind: "shell"; readonly argv: readonly string[] }
  | { readonly kind: "stopsignal"; readonly signal: string }
  | {
      readonly kind: "healthcheck";
      readonly test: readonly string[];
      readonly intervalNs?: number;
      readonly timeoutNs?: number;
      readonly startPeriodNs?: number;
      readonly startIntervalNs?: number;
      readonly retries?: number;
    }
  | { readonly kind: "onbuild"; readonly trigger: string }
  | { readonly kind: "maintainer"; readonly author: string }
  /** What only an engine that executes can do. */
  | { readonly kind: "run"; readonly command: string }
);

export interface PlannedStage {
  readonly name?: string;
  readonly position: SourcePosition;
  readonly base: StageBase;
  readonly instructions: readonly Instruction[];
}

/** The part of a Dockerfile that a target needs, in order; the last stage is the target. */
export interface TargetPlan {
  readonly stages: readonly PlannedStage[];
  /** Build args after precedence (dependencies, `args`, defaults), for engines that execute the Dockerfile. */
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly target?: string;
}

/** The facts that go into a content digest, beside the plan. */
export interface DigestInputs {
  readonly plan: TargetPlan;
  readonly platform: string;
  readonly context: BuildContext;
  readonly cacheVersion?: string;
}
