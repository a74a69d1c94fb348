/** Where an instruction stands, for messages: `path:line`. */
export interface SourcePosition {
  readonly file: string;
  /** 1-based, of the instruction's first line. */
  readonly line: number;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** Where `--from` leads, once the stages are known. */
export type ImageSource =
  /** Index into `TargetPlan.stages`. */
  { readonly kind: "stage"; readonly stage: number } | { readonly kind: "image"; readonly reference: string };

/** A file whose content stands in the Dockerfile: `COPY <<name`. */
export interface HeredocFile {
  readonly name: string;
  readonly content: string;
  /** Unquoted delimiter: variables in the content are expanded. */
  readonly expand: boolean;
}

/** What COPY and ADD share. */
export interface CopyFacts<From> {
  readonly sources: readonly string[];
  readonly heredocs: readonly HeredocFile[];
  readonly destination: string;
  readonly from?: From;
  readonly chown?: string;
  readonly chmod?: string;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** ADD only: `--checksum`, `--keep-git-dir`, `--unpack`, as written. */
  readonly options: readonly KeyValue[];
}

/** `RUN --mount`; `from` is among the options no more. */
export interface RunMount<From> {
  readonly type: string;
  readonly from?: From;
  readonly options: readonly KeyValue[];
}

/** JSON ("exec") form or shell form of CMD, ENTRYPOINT and RUN. */
export type CommandForm =
  | { readonly form: "exec"; readonly argv: readonly string[] }
  | { readonly form: "shell"; readonly command: string };

/** Durations in nanoseconds, as in the image configuration; an absent one is inherited. */
export interface HealthcheckFacts {
  /** `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", command]`. */
  readonly test: readonly string[];
  readonly intervalNs?: number;
  readonly timeoutNs?: number;
  readonly startPeriodNs?: number;
  readonly startIntervalNs?: number;
  readonly retries?: number;
}

export type InstructionFacts<From> =
  /** A value: the default as written, or, in a plan, what counts after build args. Absent: none is known. */
  | {
      readonly kind: "arg";
      readonly args: readonly { readonly name: string; readonly value?: string }[];
    }
  | { readonly kind: "env"; readonly pairs: readonly KeyValue[] }
  | { readonly kind: "label"; readonly pairs: readonly KeyValue[] }
  | ({ readonly kind: "copy" } & CopyFacts<From>)
  | ({ readonly kind: "add" } & CopyFacts<From>)
  | { readonly kind: "workdir"; readonly path: string }
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "expose"; readonly ports: readonly string[] }
  | { readonly kind: "volume"; readonly paths: readonly string[] }
  | ({ readonly kind: "entrypoint" } & CommandForm)
  | ({ readonly kind: "cmd" } & CommandForm)
  | { readonly kind: "shell"; readonly argv: readonly string[] }
  | { readonly kind: "stopsignal"; readonly signal: string }
  | ({ readonly kind: "healthcheck" } & HealthcheckFacts)
  /** The trigger is an instruction as written, with the bodies of its heredocs. */
  | { readonly kind: "onbuild"; readonly trigger: string }
  | { readonly kind: "maintainer"; readonly author: string }
  /** What only an engine that executes can do; `options` are `--network`, `--security` and `--device`. */
  | ({
      readonly kind: "run";
      readonly heredocs: readonly HeredocFile[];
      readonly mounts: readonly RunMount<From>[];
      readonly options: readonly KeyValue[];
    } & CommandForm);

interface InstructionHead {
  readonly position: SourcePosition;
  /** As written, continuation lines joined, without the bodies of heredocs. */
  readonly text: string;
}

/** An instruction of the file: variables are not expanded, `--from` is a name, an index or a reference. */
export type ParsedInstruction = InstructionHead & InstructionFacts<string>;

/** An instruction of a plan: `--from` is resolved, variables are expanded as far as they are known. */
export type Instruction = InstructionHead &
  InstructionFacts<ImageSource> & {
    /** Variables that only the base image's environment may set; texts with them are as written. */
    readonly unresolved?: readonly string[];
    /** COPY, ADD: one of them is in a source, so that which files match is open until the build. */
    readonly sourcesUnresolved?: boolean;
  };
