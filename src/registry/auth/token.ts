import { WerfError } from "../../core/errors.js";
import type { HttpRequest, HttpResponse } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import { basicAuthorization, type Credential } from "./credential.js";

export interface TokenRequest {
  /** The registry that wants the token, for messages. */
  readonly host: string;
  /** Where tokens are issued, checked by the caller. */
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
  /** Ask also for a refresh token, which can be kept in place of the password. */
  readonly offline?: boolean;
}

export type TokenAnswer =
  | {
      readonly kind: "issued";
      readonly token: string;
      readonly expiresAt: Date;
      readonly refreshToken?: string;
    }
  /** The server of tokens said no; `answer` is its words. */
  | { readonly kind: "refused"; readonly status: number; readonly answer: string };

const clientId = "werf-ts";
const maxAnswerBytes = 1024 * 1024;
/** When the server doesn't say: docker/distribution, token specification. */
const defaultLifetimeSeconds = 60;

/**
 * Asks for an access token: by GET with a user and password or anonymously (token specification of
 * distribution), by OAuth2's refresh_token grant with an identity token.
 * @throws WerfError `registry/token-invalid`, `http/*`
 */
export async function requestToken(run: RunContext, request: TokenRequest): Promise<TokenAnswer> {
  const asked = run.clock.now();
  const response = await run.http.request(
    request.credential?.kind === "identity-token"
      ? refreshGrant(request, request.credential.token)
      : tokenGet(request),
  );
  if (response.status < 200 || response.status > 299) {
    const answer = run.secrets.redact(await shortText(response));
    return { kind: "refused", status: response.status, answer };
  }
  const { token, seconds, refreshToken } = await readToken(response, request);
  run.secrets.add(token);
  if (refreshToken !== undefined) run.secrets.add(refreshToken);
  // A tenth of the lifetime is left for the way and for clocks.
  const expiresAt = new Date(asked.getTime() + seconds * 900);
  return { kind: "issued", token, expiresAt, ...(refreshToken === undefined ? {} : { refreshToken }) };
}

function tokenGet(request: TokenRequest): HttpRequest {
  const url = new URL(request.realm);
  if (request.service !== undefined) url.searchParams.set("service", request.service);
  for (const scope of request.scopes) url.searchParams.append("scope", scope);
  const { credential } = request;
  if (request.offline === true) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", clientId);
  }
  if (credential?.kind !== "basic") return { method: "GET", url };
  url.searchParams.set("account", credential.username);
  const authorization = basicAuthorization(credential.username, credential.password);
  return { method: "GET", url, headers: { authorization } };
}

function refreshGrant(request: TokenRequest, refreshToken: string): HttpRequest {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    service: request.service ?? request.host,
    client_id: clientId,
    scope: request.scopes.join(" "),
    refresh_token: refreshToken,
  });
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url: request.realm, headers, body: form.toString(), retry: true };
}

async function readToken(
  response: HttpResponse,
  request: TokenRequest,
): Promise<{ token: string; seconds: number; refreshToken: string | undefined }> {
  const text = await response.text(maxAnswerBytes);
  let answer: Record<string, unknown> = {};
  try {
    answer = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Below.
  }
  const token = [answer["token"], answer["access_token"]].find((t) => typeof t === "string" && t !== "");
  if (typeof token !== "string") {
    throw new WerfError(
      "registry/token-invalid",
      `${request.realm.origin}${request.realm.pathname}, asked for a token for ${request.host}, answered ${response.status} without one`,
      { hint: "something between here and the registry (a proxy, a login page) answers in its place" },
    );
  }
  const seconds = Number(answer["expires_in"]);
  const refresh = answer["refresh_token"];
  return {
    token,
    seconds: Number.isFinite(seconds) && seconds > 0 ? seconds : defaultLifetimeSeconds,
    refreshToken: typeof refresh === "string" && refresh !== "" ? refresh : undefined,
  };
}

async function shortText(response: HttpResponse): Promise<string> {
  const text = await response.text(64 * 1024).catch(() => "");
  return text.replace(/\s+/g, " ").trim().slice(0, 300);
}
