import { WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import { isTag } from "../../oci/reference.js";
import {
  isHtml,
  pageError,
  type Refusal,
  readRefusal,
  refusalError,
  saysRepositoryUnknown,
} from "./answer.js";
import type { Endpoint } from "./endpoint.js";
import { Pages } from "./page.js";

/** Asked in turn: distribution 3.1.0 and ECR refuse what is above their maximum, some refuse `n`. */
const firstPages = ["tags/list?n=1000", "tags/list?n=100", "tags/list"];
const maxPageBytes = 64 * 1024 * 1024;

type Page =
  | { readonly kind: "page"; readonly response: HttpResponse; readonly tags: readonly string[] }
  | { readonly kind: "missing" };

/**
 * GET `/v2/NAME/tags/list`, all pages; each tag once, in the registry's order. A repository that isn't known
 * has none. @throws WerfError `registry/pagination`, `registry/*`
 */
export async function* listTags(endpoint: Endpoint): AsyncGenerator<string> {
  const pages = new Pages(endpoint);
  const seen = new Set<string>();
  let page = await firstPage(endpoint);
  while (page.kind === "page") {
    const fresh = page.tags.filter((tag) => !seen.has(tag) && seen.add(tag));
    yield* fresh;
    const next = await pages.next(page.response, fresh.length);
    if (next === undefined) return;
    const answer = await getPage(endpoint, next);
    // A repository that vanishes between two pages doesn't have a whole list.
    if ("refusal" in answer) throw tagsError(answer.refusal, endpoint);
    page = answer;
  }
}

/** Whether the registry knows the repository; an empty tag list doesn't tell. */
export async function statRepository(endpoint: Endpoint): Promise<"present" | "missing"> {
  const page = await firstPage(endpoint, ["tags/list?n=1", "tags/list"]);
  return page.kind === "page" ? "present" : "missing";
}

async function firstPage(endpoint: Endpoint, paths: readonly string[] = firstPages): Promise<Page> {
  for (const [i, path] of paths.entries()) {
    const answer = await getPage(endpoint, path);
    if (!("refusal" in answer)) return answer;
    if (saysRepositoryUnknown(answer.refusal)) return { kind: "missing" };
    if (answer.refusal.status !== 400 || i === paths.length - 1) throw tagsError(answer.refusal, endpoint);
  }
  throw new Error("no page was asked for");
}

async function getPage(
  endpoint: Endpoint,
  path: string | URL,
): Promise<Extract<Page, { kind: "page" }> | { refusal: Refusal }> {
  const { response, bytes } = await endpoint.requestBytes(
    { method: "GET", path, headers: { accept: "application/json" } },
    maxPageBytes,
  );
  if (bytes === undefined) return { refusal: await readRefusal(response) };
  if (isHtml(response)) throw pageError(bytes, endpoint.address, "a list of tags");
  return { kind: "page", response, tags: parseTags(bytes, endpoint) };
}

function tagsError(refusal: Refusal, endpoint: Endpoint): WerfError {
  return refusalError(refusal, `list the tags of ${endpoint.address}`, endpoint.host);
}

function parseTags(bytes: Uint8Array, endpoint: Endpoint): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    // Below.
  }
  const tags = typeof value === "object" && value !== null && "tags" in value ? value.tags : undefined;
  if (tags === null) return [];
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === "string" && isTag(tag)))
    return tags as string[];
  throw new WerfError(
    "registry/answer-invalid",
    `${endpoint.address}: the registry's answer is no list of tags`,
    {
      hint: "check the address; a proxy or a login page may answer in place of the registry",
    },
  );
}
