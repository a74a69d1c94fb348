import { WerfError } from "../core/errors.js";
import { printable } from "./failure.js";
import { isMetadataHost } from "./proxy.js";

const maxRedirects = 10;
const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** What may follow to another origin; everything else could carry a credential. */
const harmlessHeaders = new Set(["accept", "accept-encoding", "range", "if-range", "user-agent"]);

export interface Hop {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export function isRedirect(status: number, location: string | undefined): location is string {
  return location !== undefined && redirectStatuses.has(status);
}

/**
 * The hops of one GET or HEAD. Headers that were dropped at another origin stay dropped, also when a later
 * hop leads back.
 */
export class Redirects {
  readonly #seen = new Set<string>();

  /** @throws WerfError `http/too-many-redirects`, `http/redirect-refused` */
  next(from: Hop, location: string): Hop {
    this.#seen.add(from.url.href);
    const url = target(from.url, location);
    if (this.#seen.has(url.href) || this.#seen.size > maxRedirects) {
      const what = this.#seen.has(url.href) ? "a circle of redirects" : `more than ${maxRedirects} redirects`;
      throw new WerfError("http/too-many-redirects", `${printable(from.url)}: ${what}`, {
        hint: "the server, or a proxy before it, is set up wrongly",
      });
    }
    if (url.origin === from.url.origin) return { url, headers: from.headers };
    const kept = Object.entries(from.headers).filter(([name]) => harmlessHeaders.has(name.toLowerCase()));
    return { url, headers: Object.fromEntries(kept) };
  }
}

function target(base: URL, location: string): URL {
  const url = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw refused(base, "an address that is not HTTP");
  if (isMetadataHost(url.hostname)) throw refused(base, "the metadata service of a cloud");
  url.hash = "";
  url.username = "";
  url.password = "";
  return url;
}

function refused(from: URL, what: string): WerfError {
  return new WerfError("http/redirect-refused", `${printable(from)} redirects to ${what}`);
}
