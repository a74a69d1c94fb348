import type { Readable } from "node:stream";

export interface ExecOptions {
  readonly cwd?: string;
  /** Added to the run's environment; `undefined` removes. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A stream serves programs that answer as they are asked: the program ends when the stream does. */
  readonly stdin?: string | Uint8Array | Readable;
  /** Called with each piece of stdout and stderr as it comes; what is streamed is not collected. */
  readonly onStdout?: (chunk: Uint8Array) => void | Promise<void>;
  readonly onStderr?: (chunk: Uint8Array) => void;
  /** Default: the run's signal. */
  readonly signal?: AbortSignal;
}

/** How another program ended. A non-zero exit is a value; a program that can't be started is thrown. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Runs a program without a shell. @throws WerfError `core/exec-missing` when it isn't there */
export type Exec = (file: string, args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;
