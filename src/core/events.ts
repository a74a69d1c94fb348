/**
 * What the library tells while it works. It never prints: printers (terminal, plain lines, JSON lines)
 * subscribe through `RunContext.emit`.
 */
export type WerfEvent = TaskStarted | TaskProgress | TaskEnded | Note | Warning | HttpRetry;

/** A piece of work with a beginning and an end; `parent` nests it. `task` is unique within a run. */
export interface TaskStarted {
  readonly code: "task/started";
  readonly task: string;
  readonly parent?: string;
  readonly title: string;
  readonly totalBytes?: number;
}
export interface TaskProgress {
  readonly code: "task/progress";
  readonly task: string;
  /** Bytes moved since the last such event, not the sum. */
  readonly bytes: number;
}
export interface TaskEnded {
  readonly code: "task/ended";
  readonly task: string;
  readonly result: "done" | "cached" | "failed";
  /** One line of detail: an address, a count. */
  readonly detail?: string;
  /** What travelled, when the progress also counts what didn't have to. */
  readonly bytes?: number;
}
/** A line for the person who watches; `level` decides with which `--log-*` it is seen. */
export interface Note {
  readonly code: "note";
  readonly level: "info" | "verbose" | "debug";
  readonly task?: string;
  readonly message: string;
}
export interface Warning {
  readonly code: "warning";
  readonly id: `${string}/${string}`;
  readonly message: string;
  readonly hint?: string;
}
export interface HttpRetry {
  readonly code: "http/retry";
  readonly host: string;
  readonly attempt: number;
  readonly delayMs: number;
  readonly because: string;
}
