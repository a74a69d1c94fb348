import { isWerfError, WerfError } from "../../core/errors.js";
import type { HttpRequest, HttpResponse } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import { formatRepository, type RepositoryName } from "../../oci/reference.js";
import { type Action, mergeScopes, type Scopes, scopesOf } from "../auth/scope.js";
import { registryError } from "./answer.js";
import type { RegistryHost } from "./host.js";

export interface EndpointRequest extends Omit<HttpRequest, "url"> {
  /** Below `/v2/NAME/`, or a whole address on any host (uploads, next pages). */
  readonly path: string | URL;
  /** Besides what the method needs on this repository. */
  readonly scopes?: Scopes;
}

/** A refused token is asked for anew once, and a challenge may widen the scope once. */
const maxAuthorizations = 2;

/** The API of one repository: addresses, authorization and errors; the nouns beside this file build on it. */
export class Endpoint {
  readonly run: RunContext;
  readonly repository: RepositoryName;
  readonly address: string;
  readonly #host: RegistryHost;
  readonly #access: readonly Action[];

  constructor(run: RunContext, host: RegistryHost, repository: RepositoryName, access: readonly Action[]) {
    this.run = run;
    this.repository = repository;
    this.address = formatRepository(repository);
    this.#host = host;
    this.#access = access;
  }

  /** Any status is a value, but 401 after all that we could do about it. @throws WerfError `http/*`, `registry/*` */
  async request(request: EndpointRequest): Promise<HttpResponse> {
    const origin = await this.#host.origin();
    const url =
      request.path instanceof URL
        ? request.path
        : new URL(`${origin}/v2/${this.repository.name}/${request.path}`);
    const { path: _path, scopes: _scopes, ...rest } = request;
    // Elsewhere (a signed upload address) nobody knows our user, nor should.
    if (url.origin !== origin) return this.run.http.request({ ...rest, url });
    const scopes = this.#scopes(request);
    for (let round = 0; ; round++) {
      const authorization = await this.#host.authority.authorize(this.repository, scopes);
      const response = await this.run.http.request({
        ...rest,
        url,
        headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
      });
      if (response.status !== 401 || new URL(response.url).origin !== origin || round >= maxAuthorizations)
        return response;
      if (!(await this.#host.authority.learn(response, this.repository, scopes, authorization)))
        return response;
      await response.discard();
    }
  }

  /** The whole body of a small answer; a connection that breaks in the middle of it is asked again. */
  async requestBytes(
    request: EndpointRequest,
    limit: number,
  ): Promise<{ response: HttpResponse; bytes: Uint8Array | undefined }> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.request(request);
      if (response.status !== 200) return { response, bytes: undefined };
      try {
        return { response, bytes: await response.bytes(limit) };
      } catch (error) {
        const broken = isWerfError(error) && (error.code === "http/reset" || error.code === "http/timeout");
        if (!broken || attempt >= 3) throw error;
      }
    }
  }

  /**
   * An address that the registry gave in a header, relative or absolute. Behind a TLS-terminating proxy that
   * it doesn't know of, a registry writes http:// for its own host: that is taken for https://.
   */
  async resolve(location: string, base: string): Promise<URL> {
    const origin = new URL(await this.#host.origin());
    const url = URL.canParse(location, base) ? new URL(location, base) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw new WerfError(
        "registry/answer-invalid",
        `${this.address}: the registry sends to "${location.slice(0, 200)}", which is no address`,
      );
    }
    if (origin.protocol === "https:" && url.protocol === "http:" && url.hostname === origin.hostname) {
      return new URL(`${origin.origin}${url.pathname}${url.search}`);
    }
    return url;
  }

  error(response: HttpResponse, doing: string): Promise<WerfError> {
    return registryError(response, doing, this.#host.host);
  }

  get host(): string {
    return this.#host.host;
  }

  #scopes(request: EndpointRequest): Scopes {
    const own: Action[] = [...this.#access];
    if (request.method !== "GET" && request.method !== "HEAD") own.push("pull", "push");
    if (
      request.method === "DELETE" &&
      typeof request.path === "string" &&
      request.path.startsWith("manifests/")
    )
      own.push("delete");
    return mergeScopes(scopesOf(this.repository.name, own), request.scopes ?? new Map());
  }
}
