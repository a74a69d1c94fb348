import { WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import type { Endpoint } from "./endpoint.js";

/** More pages than any listing has; a registry that goes on is making them up. */
const maxPages = 100_000;
const maxEmptyPages = 20;

/**
 * Follows `Link: <...>; rel="next"` (RFC 8288; distribution-spec, "Listing Tags") and notices a listing that
 * never ends.
 */
export class Pages {
  readonly #endpoint: Endpoint;
  readonly #seen = new Set<string>();
  #empty = 0;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /**
   * The address of the page after this one; `fresh`: how many entries it had that no page before had.
   * @throws WerfError `registry/pagination`
   */
  async next(response: HttpResponse, fresh: number): Promise<URL | undefined> {
    const link = nextLink(response.headers["link"] ?? "");
    if (link === undefined) return undefined;
    this.#seen.add(response.url);
    const url = await this.#endpoint.resolve(link, response.url);
    if (url.origin !== new URL(response.url).origin)
      throw this.#broken(`it leads to another host, ${url.host}`);
    this.#empty = fresh === 0 ? this.#empty + 1 : 0;
    if (this.#seen.has(url.href)) throw this.#broken("a page leads back to one before it");
    if (this.#empty > maxEmptyPages || this.#seen.size > maxPages) throw this.#broken("its pages never end");
    return url;
  }

  #broken(what: string): WerfError {
    return new WerfError(
      "registry/pagination",
      `the listing of ${this.#endpoint.address} is broken: ${what}`,
      {
        hint: "nothing is decided by a list that may not be whole; report it to the registry's makers",
      },
    );
  }
}

function nextLink(header: string): string | undefined {
  for (const match of header.matchAll(
    /<([^>]*)>((?:\s*;\s*[^;,="\s]+(?:\s*=\s*(?:"[^"]*"|[^",;\s]+))?)*)/g,
  )) {
    if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next)(?=\s*(?:;|$))/i.test(match[2] ?? ""))
      return match[1];
  }
  return undefined;
}
