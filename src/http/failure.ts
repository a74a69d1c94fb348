import { messageOf, WerfError } from "../core/errors.js";
import type { Redactor } from "../core/run-context.js";

/** What was asked, for messages. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly proxy: URL | undefined;
}

/** An address fit for a message: without user, query (signatures, tokens) and fragment. */
export function printable(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

interface NetworkError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

const resetCodes = new Set([
  "ECONNRESET",
  "EPIPE",
  "UND_ERR_SOCKET",
  "ECONNABORTED",
  "HPE_INVALID_EOF_STATE",
]);
const timeoutCodes = new Set([
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "ETIMEDOUT",
]);
const unreachableCodes = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"]);
const certificateCodes =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH|ERROR_IN_CERT|CRL_)/;
const protocolCodes = /^(?:EPROTO|ERR_SSL_|ERR_TLS_)/;

/** Turns what undici or the socket threw into one of our codes; a failure that is ours already stays. */
export function networkFailure(error: unknown, asked: Asked, secrets: Redactor): WerfError {
  if (error instanceof WerfError) return error;
  const root = rootOf(error);
  const { what, code, hint } = classify(root, asked);
  const via = asked.proxy === undefined ? "" : ` (through the proxy ${asked.proxy.host})`;
  const message = `${asked.method} ${printable(asked.url)}${via}: ${what}`;
  return new WerfError(code, secrets.redact(message), {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

/** Happy Eyeballs wraps in an AggregateError, undici sometimes in `cause`: the socket's own error says most. */
function rootOf(error: unknown): NetworkError {
  let current = error as NetworkError;
  for (let depth = 0; depth < 5; depth++) {
    const inner = current.errors?.[0] ?? (current.code === undefined ? current.cause : undefined);
    if (typeof inner !== "object" || inner === null) break;
    current = inner;
  }
  return current;
}

type Classified = { readonly what: string; readonly code: `http/${string}`; readonly hint?: string };

function classify(error: NetworkError, asked: Asked): Classified {
  const code = error.code ?? "";
  const message = messageOf(error);
  const proxyStatus = /Proxy response \((\d+)\)/.exec(message)?.[1] ?? /\((407)\)/.exec(message)?.[1];
  if (proxyStatus !== undefined) return proxyRefusal(proxyStatus);
  if (certificateCodes.test(code)) {
    return {
      code: "http/tls",
      what: `the certificate of ${asked.url.host} is not trusted (${message})`,
      hint: `name the authority's certificate by NODE_EXTRA_CA_CERTS or SSL_CERT_FILE, or, where nobody can listen, use --skip-tls-verify-registry`,
    };
  }
  if (protocolCodes.test(code) || /before secure TLS connection/.test(message)) {
    return {
      code: "http/tls-protocol",
      what: `${asked.url.host} doesn't answer in TLS (${code || message})`,
      hint: "when it speaks plain HTTP, use --insecure-registry",
    };
  }
  if (timeoutCodes.has(code)) {
    return {
      code: "http/timeout",
      what: code === "UND_ERR_BODY_TIMEOUT" ? "the answer stopped coming" : "no answer in time",
      hint: "look at the network between this machine and the server, and at the server's load",
    };
  }
  if (resetCodes.has(code) || /other side closed|terminated|socket hang up/.test(message)) {
    return {
      code: "http/reset",
      what: `the connection broke (${message})`,
      hint: "the server, or a proxy or firewall on the way, ended it: look into its log, or try again",
    };
  }
  return addressFailure(code, message, asked);
}

function addressFailure(code: string, message: string, asked: Asked): Classified {
  const meant = asked.proxy ?? asked.url;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return {
      code: code === "EAI_AGAIN" ? "http/name-lookup" : "http/name-unknown",
      what: `the name ${meant.hostname} ${code === "EAI_AGAIN" ? "could not be looked up" : "doesn't exist"}`,
      hint: `check the address, DNS and ${asked.proxy === undefined ? "whether a proxy (HTTPS_PROXY) is needed" : "HTTPS_PROXY"}`,
    };
  }
  if (unreachableCodes.has(code)) {
    return {
      code: "http/refused",
      what: `${meant.host} can't be reached (${code})`,
      hint: "check the host and port, and that the server is running",
    };
  }
  return { code: "http/failed", what: message };
}

function proxyRefusal(status: string): Classified {
  return {
    code: "http/proxy",
    what: `the proxy answered ${status}`,
    hint:
      status === "407"
        ? "put its user and password into HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
        : "the proxy doesn't let this host through: ask its administrator, or add the host to NO_PROXY",
  };
}

/** Whether trying again could help. */
export function isTransient(error: WerfError): boolean {
  return error.code === "http/reset" || error.code === "http/timeout" || error.code === "http/name-lookup";
}
