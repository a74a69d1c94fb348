import { WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import type { RepositoryName } from "../../oci/reference.js";
import type { Challenge } from "./challenge.js";
import { basicAuthorization, type Credential } from "./credential.js";
import { chooseChallenge, tokenRealm } from "./realm.js";
import { asksDelete, formatScopes, mergeScopes, parseScopes, type Scopes, withoutDelete } from "./scope.js";
import { requestToken, type TokenAnswer } from "./token.js";

export interface AuthorityOptions {
  readonly host: string;
  /** Whether a token server may be asked over plain HTTP: only for registries that are plain themselves. */
  readonly plainAllowed: boolean;
  credentialFor(repository: RepositoryName): Promise<Credential | undefined>;
}

/** A token, or the request for one that is under way. */
interface Grant {
  readonly answer: Promise<TokenAnswer>;
  token?: string;
  expiresAt?: Date;
}

/**
 * Who we are to one registry host, for the length of a run: its challenge is learned from the first 401, so
 * that later requests carry their authorization at once. One token request per scope at a time.
 */
export class Authority {
  readonly #run: RunContext;
  readonly #options: AuthorityOptions;
  readonly #grants = new Map<string, Grant>();
  readonly #credentials = new Map<string, Promise<Credential | undefined>>();
  /** What challenges asked for beyond what we would ask, by our own scope. */
  readonly #widened = new Map<string, Scopes>();
  #challenge: Challenge | undefined;
  #deleteScopeRefused = false;

  constructor(run: RunContext, options: AuthorityOptions) {
    this.#run = run;
    this.#options = options;
  }

  /**
   * The `authorization` header for a request, `undefined` for none.
   * @throws WerfError `registry/unauthorized`, `registry/realm-insecure`, `registry/token-invalid`, `http/*`
   */
  async authorize(repository: RepositoryName, scopes: Scopes): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    const credential = await this.#credential(repository);
    if (credential?.kind === "registry-token") return `Bearer ${credential.token}`;
    if (challenge.scheme === "basic") {
      return credential?.kind === "basic"
        ? basicAuthorization(credential.username, credential.password)
        : undefined;
    }
    return `Bearer ${await this.#token(challenge, credential, repository, scopes)}`;
  }

  /**
   * Learns from a 401. `true`: the request may be sent again, as another one than `used`.
   * @throws WerfError as `authorize`
   */
  async learn(
    response: HttpResponse,
    repository: RepositoryName,
    scopes: Scopes,
    used: string | undefined,
  ): Promise<boolean> {
    const challenge = chooseChallenge(response);
    if (challenge === undefined) return false;
    this.#challenge = challenge;
    const key = formatScopes(scopes).join(" ");
    this.#widened.set(key, mergeScopes(scopes, parseScopes(challenge.parameters["scope"])));
    const grant = this.#grants.get(grantKey(repository, scopes));
    // Another request may have got a new token since this one was sent.
    if (grant?.token !== undefined && `Bearer ${grant.token}` === used) {
      this.#grants.delete(grantKey(repository, scopes));
    }
    const next = await this.authorize(repository, scopes);
    return next !== undefined && next !== used;
  }

  async #token(
    challenge: Challenge,
    credential: Credential | undefined,
    repository: RepositoryName,
    scopes: Scopes,
  ): Promise<string> {
    const key = grantKey(repository, scopes);
    let grant = this.#grants.get(key);
    if (grant === undefined || (grant.expiresAt !== undefined && grant.expiresAt <= this.#run.clock.now())) {
      grant = this.#startGrant(key, () => this.#ask(challenge, credential, scopes));
    }
    const answer = await grant.answer;
    if (answer.kind === "issued") return answer.token;
    throw this.#refused(answer, credential, scopes);
  }

  #startGrant(key: string, ask: () => Promise<TokenAnswer>): Grant {
    const forget = (): void => {
      if (this.#grants.get(key) === grant) this.#grants.delete(key);
    };
    const grant: Grant = {
      answer: ask().then(
        (answer) => {
          if (answer.kind === "issued") {
            grant.token = answer.token;
            grant.expiresAt = answer.expiresAt;
          } else forget();
          return answer;
        },
        (error: unknown) => {
          forget();
          throw error;
        },
      ),
    };
    this.#grants.set(key, grant);
    return grant;
  }

  async #ask(challenge: Challenge, credential: Credential | undefined, wanted: Scopes): Promise<TokenAnswer> {
    const realm = tokenRealm(challenge, this.#options);
    const ask = (scopes: Scopes): Promise<TokenAnswer> =>
      requestToken(this.#run, {
        host: this.#options.host,
        realm,
        service: challenge.parameters["service"],
        scopes: formatScopes(scopes),
        credential,
      });
    const scopes = this.#widened.get(formatScopes(wanted).join(" ")) ?? wanted;
    if (!asksDelete(scopes)) return ask(scopes);
    if (this.#deleteScopeRefused) return ask(withoutDelete(scopes));
    const answer = await ask(scopes);
    if (answer.kind === "issued" || answer.status !== 400) return answer;
    const narrower = await ask(withoutDelete(scopes));
    this.#deleteScopeRefused = narrower.kind === "issued";
    return narrower;
  }

  #refused(
    answer: Extract<TokenAnswer, { kind: "refused" }>,
    credential: Credential | undefined,
    scopes: Scopes,
  ): WerfError {
    const { host } = this.#options;
    const message = `${host} gives no token ${userOf(credential)} for ${formatScopes(scopes).join(" ")}: status ${answer.status} ${answer.answer}`;
    const code = refusalCode(answer.status);
    return new WerfError(code, this.#run.secrets.redact(message.trim()), { hint: loginHint(host) });
  }

  #credential(repository: RepositoryName): Promise<Credential | undefined> {
    let credential = this.#credentials.get(repository.name);
    if (credential === undefined) {
      credential = this.#options.credentialFor(repository);
      this.#credentials.set(repository.name, credential);
    }
    return credential;
  }
}

function userOf(credential: Credential | undefined): string {
  if (credential === undefined) return "without a login";
  return credential.kind === "basic" ? `to the user ${credential.username}` : "for an identity token";
}

function refusalCode(status: number): `registry/${string}` {
  if (status === 403) return "registry/denied";
  if (status === 429) return "registry/rate-limited";
  return status < 500 ? "registry/unauthorized" : "registry/server-failed";
}

/** The credential depends on the repository, so its name is part of the key. */
function grantKey(repository: RepositoryName, scopes: Scopes): string {
  return `${repository.name} ${formatScopes(scopes).join(" ")}`;
}

export function loginHint(host: string): string {
  const target = host === "docker.io" ? "" : ` ${host}`;
  return `log in with \`werf cr login${target}\` or \`docker login${target}\`, as a user who may do this`;
}
