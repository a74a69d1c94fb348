import type { Readable } from "node:stream";

/** A body that can be sent again: a retry opens it anew, because a stream that was partly read can't be replayed. */
export interface BodySource {
  /** Bytes; absent: chunked transfer. */
  readonly length?: number;
  open(): Readable | Promise<Readable>;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: string | URL;
  /** Lower-case names. `authorization` and `cookie` never follow a redirect to another origin. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | BodySource;
  /** `manual`: a 3xx is returned as it is. Default `follow`, for GET and HEAD; other methods are never redirected. */
  readonly redirect?: "follow" | "manual";
  /** Whether a failed attempt may be sent again. Default: every method but POST and PATCH. */
  readonly retry?: boolean;
  /** Milliseconds until the answer's headers; default 60,000. The body has its own idle time-out. */
  readonly timeoutMs?: number;
  /** In addition to the run's signal. */
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; repeated headers joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** After redirects. */
  readonly url: string;
  /** The caller reads it to the end, or calls `discard`. */
  readonly body: Readable;
  /** @throws WerfError `http/body-too-large` above `limit` bytes (default 4 MiB) */
  bytes(limit?: number): Promise<Uint8Array>;
  text(limit?: number): Promise<string>;
  /** Drops the body, so that the connection serves the next request. */
  discard(): Promise<void>;
}

/**
 * The one door to the network: proxies, CAs, time-outs, redirects, retries (429, 5xx, resets; Retry-After),
 * per-host limits and redaction live behind it. Any status is a value; only what isn't an answer is thrown.
 */
export interface HttpClient {
  /** @throws WerfError `http/*` when no answer came: refused, reset, timed out, TLS, too many redirects */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Closes idle connections at the end of the run. */
  close(): Promise<void>;
}
