import type { Clock } from "../core/run-context.js";
import type { InputStream } from "./input.js";

/** What a process is, so that the command line runs inside a test as it does in a shell. */
export interface CliHost {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** `linux/amd64` */
  readonly platform: string;
  readonly colors: boolean;
  readonly signal: AbortSignal;
  /** What waits are measured by; default: the system's. */
  readonly clock?: Clock;
  /** Milliseconds of silence after which a server's answer is given up; default: that of the HTTP client. */
  readonly idleTimeoutMs?: number;
  /** Standard input, opened when it is needed; absent: there is none. */
  stdin?(): InputStream;
  stdout(text: string): void;
  stderr(text: string): void;
}
