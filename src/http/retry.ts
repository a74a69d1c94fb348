import type { WerfEvent } from "../core/events.js";
import type { Clock } from "../core/run-context.js";

const maxAttempts = 5;
const firstDelayMs = 500;
const maxDelayMs = 30_000;
/** A server that asks for more than this is not waited for: its answer goes to the caller. */
const maxRetryAfterMs = 120_000;

const retriedStatuses = new Set([429, 500, 502, 503, 504]);

export function isRetriedStatus(status: number): boolean {
  return retriedStatuses.has(status);
}

export interface Failure {
  readonly because: string;
  /** Milliseconds that the server asked to wait. */
  readonly waitMs?: number | undefined;
}

export interface RetryContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  emit(event: WerfEvent): void;
}

/**
 * The attempts of one request: exponential back-off with jitter, or what the server asked for. `again` waits
 * and says `true`, or says `false` when the failure must stand.
 */
export class Attempts {
  readonly #context: RetryContext;
  readonly #host: string;
  #made = 1;

  constructor(context: RetryContext, host: string) {
    this.#context = context;
    this.#host = host;
  }

  get made(): number {
    return this.#made;
  }

  async again(failure: Failure): Promise<boolean> {
    if (this.#made >= maxAttempts || (failure.waitMs ?? 0) > maxRetryAfterMs) return false;
    const delayMs = Math.round(Math.max(failure.waitMs ?? 0, backoff(this.#made)));
    this.#context.emit({
      code: "http/retry",
      host: this.#host,
      attempt: this.#made,
      delayMs,
      because: failure.because,
    });
    this.#made++;
    await this.#context.clock.sleep(delayMs, this.#context.signal);
    return true;
  }
}

/** Half of it fixed, half of it random, so that many clients don't come back at once. */
function backoff(attempt: number): number {
  const full = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
  return full / 2 + (Math.random() * full) / 2;
}

/** Retry-After in seconds or as an HTTP-date (RFC 9110, 10.2.3), in milliseconds from `now`. */
export function retryAfterMs(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) || !/[A-Za-z]/.test(text) ? undefined : Math.max(0, date - now.getTime());
}
