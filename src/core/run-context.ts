import type { WerfEvent } from "./events.js";
import type { Exec } from "./exec.js";
import type { HttpClient } from "./http.js";

export interface Clock {
  now(): Date;
  /** Resolves after `ms`, rejects when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Knows the secrets of this run; whatever reads one registers it at once. */
export interface Redactor {
  add(secret: string): void;
  redact(text: string): string;
}

/**
 * The only door to the outside, built once in `cli` (or by a library user) and passed first. Nothing else
 * touches `process`.
 */
export interface RunContext {
  readonly http: HttpClient;
  /** The only view of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The directory that relative paths of the user start from. Absolute. */
  readonly cwd: string;
  /** The user's home directory (Docker config, credentials of vendors). */
  readonly home: string;
  /** Where our own state lives: `$WERF_HOME/ts`, default `~/.werf/ts`. Made when first written to. */
  readonly werfHome: string;
  /** A new private directory (0700), removed when the run ends. */
  tmp(): Promise<string>;
  readonly clock: Clock;
  readonly exec: Exec;
  readonly signal: AbortSignal;
  emit(event: WerfEvent): void;
  readonly secrets: Redactor;
}
