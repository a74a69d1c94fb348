/** `layer/what`, declared beside the thrower; stable, so that scripts can match on it. */
export type ErrorCode = `${string}/${string}`;

export interface WerfErrorOptions {
  /** What the user can do next: which flag, which permission, which role. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** 1: the work failed; 2: the command line was wrong; 130: interrupted. Default 1. */
  readonly exitCode?: 1 | 2 | 130;
}

const brand = Symbol.for("werf-ts.error");

/**
 * The base of every failure that a user can meet. The message says what was being done, to which
 * address, and what was answered.
 */
export class WerfError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly exitCode: 1 | 2 | 130;

  constructor(code: ErrorCode, message: string, options: WerfErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "WerfError";
    Object.defineProperty(this, brand, { value: true });
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Works across two copies of the package, where `instanceof` doesn't. */
export function isWerfError(error: unknown): error is WerfError {
  return typeof error === "object" && error !== null && brand in error;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
