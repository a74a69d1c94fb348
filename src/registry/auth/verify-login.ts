import { WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import { readRefusal, refusalError } from "../client/answer.js";
import { type RegistryHost, registryHost } from "../client/host.js";
import type { Challenge } from "./challenge.js";
import { basicAuthorization } from "./credential.js";
import type { Login } from "./login.js";
import { chooseChallenge, tokenRealm } from "./realm.js";
import { requestToken } from "./token.js";

export interface VerifiedLogin {
  /** What is to be kept: with an identity token where the registry gave one. */
  readonly login: Login;
  /** `false`: the registry lets everybody in, so that nobody knows whether the password is right. */
  readonly checked: boolean;
}

/**
 * Logs in to the registry, by Basic or by a token as it asks for (distribution's token specification), and stores
 * nothing. `insecure`: plain HTTP is allowed.
 * @throws WerfError `registry/login-refused`, `registry/realm-insecure`, `registry/token-invalid`, `registry/*`,
 * `http/*`
 */
export async function verifyCredential(
  run: RunContext,
  login: Login,
  options: { readonly insecure: boolean },
): Promise<VerifiedLogin> {
  run.secrets.add(login.password);
  run.secrets.add(Buffer.from(`${login.username}:${login.password}`).toString("base64"));
  const host = registryHost(run, { host: login.host, insecure: options.insecure });
  const first = await ping(run, host, undefined);
  if (first.status >= 200 && first.status <= 299) {
    await first.discard();
    return { login, checked: false };
  }
  const challenge = first.status === 401 ? chooseChallenge(first) : undefined;
  if (challenge === undefined) throw await unexpected(first, login);
  await first.discard();
  const { authorization, identityToken } = await answer(run, host, challenge, login);
  const second = await ping(run, host, authorization);
  if (second.status === 401 || second.status === 403) {
    const { status, said } = await readRefusal(second);
    throw refused(run, login, status, said);
  }
  if (second.status < 200 || second.status > 299) throw await unexpected(second, login);
  await second.discard();
  return { login: identityToken === undefined ? login : { ...login, identityToken }, checked: true };
}

/** @throws WerfError `registry/answer-invalid` when another server answers: it is not told who we are */
async function ping(
  run: RunContext,
  host: RegistryHost,
  authorization: string | undefined,
): Promise<HttpResponse> {
  const origin = await host.origin();
  const headers = authorization === undefined ? {} : { authorization };
  const response = await run.http.request({ method: "GET", url: `${origin}/v2/`, headers });
  if (new URL(response.url).origin === origin) return response;
  await response.discard();
  throw new WerfError(
    "registry/answer-invalid",
    `${host.host} sends to ${new URL(response.url).origin} instead of answering`,
    { hint: "log in to the address that the registry itself has" },
  );
}

async function answer(
  run: RunContext,
  host: RegistryHost,
  challenge: Challenge,
  login: Login,
): Promise<{ authorization: string; identityToken: string | undefined }> {
  const { username, password } = login;
  if (challenge.scheme === "basic") {
    return { authorization: basicAuthorization(username, password), identityToken: undefined };
  }
  const token = await requestToken(run, {
    host: host.host,
    realm: tokenRealm(challenge, host),
    service: challenge.parameters["service"],
    scopes: [],
    credential: { kind: "basic", username, password },
    offline: true,
  });
  if (token.kind === "refused") {
    if (token.status < 500 && token.status !== 429) throw refused(run, login, token.status, token.answer);
    const message = `${host.host} could not check the login of ${username}: status ${token.status} ${token.answer}`;
    const code = token.status === 429 ? "registry/rate-limited" : "registry/server-failed";
    throw new WerfError(code, message.trim(), { hint: "try again later" });
  }
  return { authorization: `Bearer ${token.token}`, identityToken: token.refreshToken };
}

async function unexpected(response: HttpResponse, { host }: Login): Promise<WerfError> {
  return refusalError(await readRefusal(response), "log in", host);
}

function refused(run: RunContext, { host, username }: Login, status: number, said: string): WerfError {
  const message = `${host} refuses the login of ${username}: status ${status} ${said}`;
  return new WerfError("registry/login-refused", run.secrets.redact(message.trim()), {
    hint: "check the user name and the password; many registries take an access token in place of the password",
  });
}
