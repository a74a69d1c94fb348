import { WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import { type Challenge, parseChallenges } from "./challenge.js";

/** What of a 401 we can answer: tokens before passwords. */
export function chooseChallenge(response: HttpResponse): Challenge | undefined {
  const offered = parseChallenges(response.headers["www-authenticate"] ?? "");
  return (
    offered.find((c) => c.scheme === "bearer" && c.parameters["realm"] !== undefined) ??
    offered.find((c) => c.scheme === "basic")
  );
}

/**
 * Where the challenge sends for tokens.
 * @throws WerfError `registry/token-invalid`, and `registry/realm-insecure` where that is plain HTTP and the
 * registry isn't
 */
export function tokenRealm(
  challenge: Challenge,
  { host, plainAllowed }: { readonly host: string; readonly plainAllowed: boolean },
): URL {
  const text = challenge.parameters["realm"] ?? "";
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (realm === undefined || !/^https?:$/.test(realm.protocol)) {
    throw new WerfError(
      "registry/token-invalid",
      `${host} sends for tokens to "${text.slice(0, 200)}", which is no address`,
      { hint: "its administrator has to correct the realm of its token authentication" },
    );
  }
  if (realm.protocol === "https:" || plainAllowed) return realm;
  throw new WerfError(
    "registry/realm-insecure",
    `${host} wants the credentials to go to ${realm.origin} in plain HTTP`,
    { hint: "its administrator has to set an https:// realm; in a trusted network use --insecure-registry" },
  );
}
