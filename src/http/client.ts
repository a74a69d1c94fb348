import { setMaxListeners } from "node:events";
import type { Readable } from "node:stream";
import { WerfError } from "../core/errors.js";
import type { WerfEvent } from "../core/events.js";
import type { BodySource, HttpClient, HttpRequest, HttpResponse } from "../core/http.js";
import type { Clock, Redactor } from "../core/run-context.js";
import { version } from "../core/version.js";
import { isTransient, networkFailure, printable } from "./failure.js";
import { type Hop, isRedirect, Redirects } from "./redirect.js";
import { httpResponse } from "./response.js";
import { Attempts, isRetriedStatus, retryAfterMs } from "./retry.js";
import { Transport } from "./transport.js";

export interface HttpClientOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the run: aborts requests and waits. */
  readonly signal: AbortSignal;
  readonly secrets: Redactor;
  readonly clock: Clock;
  emit(event: WerfEvent): void;
  /** Authorities (PEM) trusted in addition to Node's, the system's and NODE_EXTRA_CA_CERTS. */
  readonly caFile?: string;
  /** `host[:port]` as in a URL: whoever answers there is believed. */
  readonly skipTlsVerifyHosts?: ReadonlySet<string>;
  readonly userAgent?: string;
  /** Milliseconds of silence: before an answer, unless its request says otherwise, and within its body; default 60,000. */
  readonly idleTimeoutMs?: number;
}

const defaultTimeoutMs = 60_000;

/** The HTTP client of a run, on HTTP/1.1. It opens nothing, and loads nothing, before the first request. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  // Every request in flight listens to the signal of the run: many are no leak.
  setMaxListeners(0, options.signal);
  return new Client(options);
}

class Client implements HttpClient {
  readonly #options: HttpClientOptions;
  readonly #transport: Transport;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#transport = new Transport({
      env: options.env,
      secrets: options.secrets,
      caFile: options.caFile,
      skipTlsVerifyHosts: options.skipTlsVerifyHosts ?? new Set(),
    });
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    const start: Hop = { url: parseUrl(request.url), headers: request.headers ?? {} };
    const follows = (request.method === "GET" || request.method === "HEAD") && request.redirect !== "manual";
    const redirects = new Redirects();
    let hop = start;
    for (;;) {
      const response = await this.#withRetries(request, hop);
      const location = response.headers["location"];
      if (!follows || !isRedirect(response.status, location)) return response;
      await response.discard();
      hop = redirects.next(hop, location);
    }
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #withRetries(request: HttpRequest, hop: Hop): Promise<HttpResponse> {
    const mayRetry = request.retry ?? (request.method !== "POST" && request.method !== "PATCH");
    const attempts = new Attempts({ ...this.#options, signal: this.#signal(request) }, hop.url.host);
    for (;;) {
      try {
        const response = await this.#send(request, hop);
        if (!mayRetry || !isRetriedStatus(response.status)) return response;
        const waitMs = retryAfterMs(response.headers["retry-after"], this.#options.clock.now());
        if (!(await attempts.again({ because: `status ${response.status}`, waitMs }))) return response;
        await response.discard();
      } catch (error) {
        if (!(error instanceof WerfError) || !mayRetry || !isTransient(error)) throw error;
        if (!(await attempts.again({ because: error.message }))) throw afterAttempts(error, attempts.made);
      }
    }
  }

  async #send(request: HttpRequest, hop: Hop): Promise<HttpResponse> {
    const signal = this.#signal(request);
    signal.throwIfAborted();
    const { method, body } = request;
    const { url } = hop;
    const route = await this.#transport.route(url, isSource(body) ? "upload" : "read");
    const { dispatcher, proxy } = route;
    const translate = (error: unknown): Error =>
      signal.aborted && signal.reason instanceof Error
        ? signal.reason
        : networkFailure(error, { method, url, proxy }, this.#options.secrets);
    const opened = isSource(body) ? await body.open() : body;
    try {
      const answer = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: this.#headers(hop, body),
        ...(opened === undefined ? {} : { body: opened }),
        headersTimeout: request.timeoutMs ?? this.#options.idleTimeoutMs ?? defaultTimeoutMs,
        bodyTimeout: this.#options.idleTimeoutMs ?? defaultTimeoutMs,
        // undici ends the connection after every HEAD unless told not to.
        reset: false,
        signal,
      });
      return httpResponse(answer, { url: url.href, printable: printable(url) }, translate);
    } catch (error) {
      const failure = sourceFailure(opened) ?? translate(error);
      const untrusted = failure instanceof WerfError && failure.code === "http/tls";
      if (untrusted && (await this.#transport.trustsMore(route))) return this.#send(request, hop);
      throw failure;
    }
  }

  #headers(hop: Hop, body: HttpRequest["body"]): Record<string, string> {
    const length = isSource(body) ? body.length : undefined;
    return {
      "user-agent": this.#options.userAgent ?? `werf-ts/${version}`,
      // An answer comes as it is stored: digests are of these bytes, and nothing can be inflated.
      "accept-encoding": "identity",
      ...hop.headers,
      ...(length === undefined ? {} : { "content-length": String(length) }),
    };
  }

  #signal(request: HttpRequest): AbortSignal {
    const own = request.signal;
    return own === undefined ? this.#options.signal : AbortSignal.any([this.#options.signal, own]);
  }
}

function isSource(body: HttpRequest["body"]): body is BodySource {
  return typeof body === "object" && "open" in body;
}

/** A source that fails by itself (a digest that doesn't fit, a file that is gone) is no fault of the network. */
function sourceFailure(opened: Readable | string | Uint8Array | undefined): WerfError | undefined {
  if (typeof opened !== "object" || !("errored" in opened)) return undefined;
  return opened.errored instanceof WerfError ? opened.errored : undefined;
}

function afterAttempts(error: WerfError, attempts: number): WerfError {
  return new WerfError(error.code, `${error.message}, ${attempts} times`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

function parseUrl(text: string | URL): URL {
  const url = URL.canParse(String(text)) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new WerfError("http/url-invalid", "a request needs an http:// or https:// address");
  }
  url.hash = "";
  url.username = "";
  url.password = "";
  return url;
}
