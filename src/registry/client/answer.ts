import { WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import { loginHint } from "../auth/authority.js";

/** What a registry said when it didn't do what was asked: distribution-spec, "Error Codes". */
export interface Refusal {
  readonly status: number;
  /** Upper-case, `""` when the body isn't in the specified form. */
  readonly code: string;
  /** One line: code and message, or the beginning of a text. */
  readonly said: string;
  /** Whether the body was the specified JSON. */
  readonly isRegistry: boolean;
  readonly isHtml: boolean;
  /** Seconds or a date, as the server wrote it. */
  readonly retryAfter: string | undefined;
}

const maxRefusalBytes = 64 * 1024;

export function isHtml(response: HttpResponse): boolean {
  return /^text\/html\b/i.test(response.headers["content-type"] ?? "");
}

/** Reads the body of an answer that isn't a success, whatever it is. */
export async function readRefusal(response: HttpResponse): Promise<Refusal> {
  const text = await response.text(maxRefusalBytes).catch(() => "");
  const errors = parseErrors(text);
  const first = errors?.[0];
  const html = isHtml(response) || /^\s*<(?:!doctype|html)/i.test(text);
  return {
    status: response.status,
    code: first?.code ?? "",
    said:
      errors === undefined
        ? html
          ? `with ${htmlPage(text)}`
          : oneLine(text)
        : oneLine(errors.map(words).join("; ")),
    isRegistry: errors !== undefined,
    isHtml: html,
    retryAfter: response.headers["retry-after"],
  };
}

/** "The repository isn't there", in the words of any registry. zot answers it with 400. */
export function saysRepositoryUnknown(refusal: Refusal): boolean {
  return (refusal.status === 404 && refusal.isRegistry) || refusal.code === "NAME_UNKNOWN";
}

/**
 * The error for an answer that `doing` ("push the tag v1 to registry.example/app") didn't allow for.
 * `host` is what a user logs in to.
 */
export function refusalError(refusal: Refusal, doing: string, host: string): WerfError {
  const said = refusal.said === "" ? "" : ` ${refusal.said}`;
  const { code, hint } = meaning(refusal, host);
  return new WerfError(code, `can't ${doing}: ${host} answered ${refusal.status}${said}`, { hint });
}

export async function registryError(response: HttpResponse, doing: string, host: string): Promise<WerfError> {
  return refusalError(await readRefusal(response), doing, host);
}

/** For a page that comes with status 200 in place of `wanted`. */
export function pageError(bytes: Uint8Array, source: string, wanted: string): WerfError {
  const page = htmlPage(Buffer.from(bytes).toString("utf8"));
  return new WerfError("registry/not-a-registry", `${source}: ${page} came instead of ${wanted}`, {
    hint: "check the address; a proxy or a login page may answer in place of the registry",
  });
}

function meaning(refusal: Refusal, host: string): { code: `registry/${string}`; hint: string } {
  const { status } = refusal;
  if (status === 401) return { code: "registry/unauthorized", hint: loginHint(host) };
  if (status === 403) {
    return {
      code: "registry/denied",
      hint: "the user that is logged in lacks the permission for this repository",
    };
  }
  if (status === 429) {
    const wait = whenToRetry(refusal.retryAfter);
    return { code: "registry/rate-limited", hint: `try again ${wait}; logged-in users have higher limits` };
  }
  if (refusal.isHtml) {
    return {
      code: "registry/not-a-registry",
      hint: "an HTML page came: check the address; a proxy or a login page may answer in place of the registry",
    };
  }
  if (status >= 500)
    return {
      code: "registry/server-failed",
      hint: "the registry itself failed: look into its log, or try again",
    };
  if (status === 404 && refusal.isRegistry)
    return { code: "registry/not-found", hint: "check the name, and that the user may read it" };
  if (status === 404)
    return {
      code: "registry/not-a-registry",
      hint: "check the address: nothing there speaks the registry API",
    };
  return { code: "registry/refused", hint: "the registry doesn't accept this; its log may say more" };
}

interface ErrorEntry {
  readonly code: string;
  readonly message: string;
  readonly detail: string;
}

function parseErrors(text: string): ErrorEntry[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const errors =
    typeof value === "object" && value !== null ? (value as Record<string, unknown>)["errors"] : undefined;
  if (!Array.isArray(errors)) return undefined;
  return errors.slice(0, 5).map((entry: unknown) => {
    const { code, message, detail } = (typeof entry === "object" && entry !== null ? entry : {}) as Record<
      string,
      unknown
    >;
    return {
      code: typeof code === "string" ? code.toUpperCase() : "",
      message: typeof message === "string" ? message : "",
      detail: typeof detail === "string" ? detail : "",
    };
  });
}

function words(entry: ErrorEntry): string {
  const detail = entry.detail === "" || entry.detail === entry.message ? "" : ` (${entry.detail})`;
  return `${entry.code}${entry.message === "" ? "" : `: ${entry.message}`}${detail}`;
}

function htmlPage(text: string): string {
  const title = oneLine(/<title[^>]*>([^<]*)/i.exec(text)?.[1] ?? "");
  return title === "" ? "an HTML page" : `the HTML page "${title}"`;
}

/** Retry-After is seconds or a date. */
function whenToRetry(text: string | undefined): string {
  if (text === undefined) return "later";
  return /^\d+$/.test(text.trim()) ? `in ${text.trim()} s` : `after ${oneLine(text)}`;
}

function oneLine(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, 300);
}
