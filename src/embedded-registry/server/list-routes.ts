import type { Descriptor } from "../../oci/descriptor.js";
import { mediaTypes } from "../../oci/media-types.js";
import { ProtocolError, sendJson } from "./answer.js";
import { type Exchange, nameUnknown, wantDigest } from "./exchange.js";
import type { RouteOf } from "./route.js";
import { countUpTo } from "./sorted-tags.js";

/** Keeps an answer below 4 MiB, which is all that clients need read. */
const referrersPerPage = 1000;

/** end-8: sorted; with `n` in pages. `last` need not exist. */
export async function listTags(exchange: Exchange, route: RouteOf<"tags">): Promise<void> {
  const repository = exchange.service.root.repository(route.name);
  const sorted = await exchange.service.sortedTags.of(repository);
  if (sorted.length === 0 && !(await repository.exists())) throw nameUnknown(route.name);
  const page = pageOf(exchange, sorted);
  sendJson(exchange.response, 200, { name: route.name, tags: page.items }, page.headers);
}

/** Docker's list of repositories, in pages as the tags. */
export async function listCatalog(exchange: Exchange): Promise<void> {
  const page = pageOf(exchange, await exchange.service.root.listRepositories());
  sendJson(exchange.response, 200, { repositories: page.items }, page.headers);
}

function pageOf(
  exchange: Exchange,
  sorted: readonly string[],
): { readonly items: readonly string[]; readonly headers: Record<string, string> } {
  const { query } = exchange;
  const n = pageSize(query.get("n"));
  const start = query.has("last") ? countUpTo(sorted, query.get("last") ?? "") : 0;
  const items = sorted.slice(start, start + n);
  const last = items.at(-1);
  const more = last !== undefined && start + items.length < sorted.length;
  return { items, headers: more ? { link: nextLink(exchange, { n: String(n), last }) } : {} };
}

/** @throws ProtocolError PAGINATION_NUMBER_INVALID */
function pageSize(text: string | null): number {
  if (text === null) return Number.POSITIVE_INFINITY;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ProtocolError(400, "PAGINATION_NUMBER_INVALID", "n is a number from 0", {
    detail: { n: text.slice(0, 100) },
  });
}

/** end-12: a list without entries for an unknown subject, and never 404, which would mean "no such API". */
export async function listReferrers(exchange: Exchange, route: RouteOf<"referrers">): Promise<void> {
  const { query, response, service } = exchange;
  const subject = wantDigest(route.digest);
  const artifactType = query.get("artifactType") ?? "";
  const after = query.get("last") ?? "";
  const manifests: Descriptor[] = [];
  const headers: Record<string, string> = { "content-type": mediaTypes.ociIndex };
  if (artifactType !== "") headers["oci-filters-applied"] = "artifactType";
  for await (const referrer of service.root.repository(route.name).listReferrers(subject)) {
    if (referrer.digest <= after) continue;
    if (artifactType !== "" && referrer.artifactType !== artifactType) continue;
    const last = manifests.at(-1);
    if (manifests.length === referrersPerPage && last !== undefined) {
      headers["link"] = nextLink(exchange, {
        ...(artifactType === "" ? {} : { artifactType }),
        last: last.digest,
      });
      break;
    }
    manifests.push(referrer);
  }
  sendJson(response, 200, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, headers);
}

function nextLink(exchange: Exchange, query: Record<string, string>): string {
  return `<${exchange.path}?${new URLSearchParams(query)}>; rel="next"`;
}
