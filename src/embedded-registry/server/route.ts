import { isRepositoryName } from "../store/names.js";
import { ProtocolError } from "./answer.js";

/** What a path of the distribution API names; `reference`, `digest` and `id` are not checked yet. */
export type Route =
  | { readonly kind: "health" }
  | { readonly kind: "metrics" }
  | { readonly kind: "base" }
  | { readonly kind: "catalog" }
  | { readonly kind: "blob"; readonly name: string; readonly digest: string }
  | { readonly kind: "uploads"; readonly name: string }
  | { readonly kind: "upload"; readonly name: string; readonly id: string }
  | { readonly kind: "manifest"; readonly name: string; readonly reference: string }
  | { readonly kind: "tags"; readonly name: string }
  | { readonly kind: "referrers"; readonly name: string; readonly digest: string };

export type RouteOf<K extends Route["kind"]> = Extract<Route, { kind: K }>;

/** The one path that asks for no password: whoever runs the server looks whether it is alive. */
export const healthPath = "/healthz";

/** Read from the end, because `blobs`, `manifests` and `tags` may be parts of a name; the first that fits counts. */
const patterns: readonly (readonly [RegExp, (name: string, last: string) => Route])[] = [
  [/^(.+)\/blobs\/uploads\/?$/, (name) => ({ kind: "uploads", name })],
  [/^(.+)\/blobs\/uploads\/([^/]+)$/, (name, id) => ({ kind: "upload", name, id })],
  [/^(.+)\/blobs\/([^/]+)$/, (name, digest) => ({ kind: "blob", name, digest })],
  [/^(.+)\/manifests\/([^/]+)$/, (name, reference) => ({ kind: "manifest", name, reference })],
  [/^(.+)\/tags\/list$/, (name) => ({ kind: "tags", name })],
  [/^(.+)\/referrers\/([^/]+)$/, (name, digest) => ({ kind: "referrers", name, digest })],
];

/**
 * Finds the route of a path as it came: dots are not resolved, percent-encoding is. Undefined: no path of this API.
 * @throws ProtocolError NAME_INVALID
 */
export function routeOf(path: string): Route | undefined {
  if (path === healthPath) return { kind: "health" };
  if (path === "/metrics") return { kind: "metrics" };
  if (path === "/v2" || path === "/v2/") return { kind: "base" };
  if (path === "/v2/_catalog") return { kind: "catalog" };
  if (!path.startsWith("/v2/")) return undefined;
  for (const [pattern, make] of patterns) {
    const match = pattern.exec(path.slice("/v2/".length));
    if (match === null) continue;
    const name = decode(match[1] ?? "");
    const last = decode(match[2] ?? "");
    if (name === undefined || last === undefined || !isRepositoryName(name)) {
      throw new ProtocolError(400, "NAME_INVALID", "invalid repository name", {
        detail: { name: (name ?? path).slice(0, 300) },
      });
    }
    return make(name, last);
  }
  return undefined;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
