import { dockerHub, type RepositoryName } from "../../oci/reference.js";

/** The key under which Docker keeps the login to Docker Hub. */
const dockerHubKey = "https://index.docker.io/v1/";
const dockerHubHosts = new Set([
  dockerHub,
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);
/** Beside the login to Docker Hub, `docker login` keeps tokens for Hub's own API, which registries don't take. */
const hubApiPath = /^v1\/(?:access|refresh)-token$/;

/** A key of `auths` or `credHelpers`: a host, a host with a path, or an old address with scheme and `/v1/`. */
export interface ServerKey {
  /** As it is written. */
  readonly key: string;
  readonly host: string;
  /** Of a repository or a namespace; "" for the whole host. */
  readonly path: string;
  /** A token of Docker Hub's API, no login. */
  readonly isHubApi: boolean;
}

export function parseServerKey(key: string): ServerKey {
  const address = key.replace(/^[a-z]+:\/\//i, "").replace(/\/+$/, "");
  const slash = address.indexOf("/");
  const host = canonicalHost(slash === -1 ? address : address.slice(0, slash));
  const path = slash === -1 ? "" : address.slice(slash + 1);
  const isHubApi = host === dockerHub && hubApiPath.test(path);
  return { key, host, path: /^v[12]$/.test(path) ? "" : path, isHubApi };
}

/** What a login to the host is kept under, and what a helper knows it by. */
export function serverName(host: string): string {
  return canonicalHost(host) === dockerHub ? dockerHubKey : host;
}

export function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return dockerHubHosts.has(lower) ? dockerHub : lower.replace(/:443$/, "");
}

/** Of the entries for a repository the one with the longest path; of equal ones that with Docker's own key. */
export function bestMatch<T extends ServerKey>(
  entries: readonly T[],
  repository: RepositoryName,
): T | undefined {
  const host = canonicalHost(repository.host);
  const own = serverName(host);
  return entries
    .filter((e) => e.host === host && !e.isHubApi)
    .filter((e) => e.path === "" || `${repository.name}/`.startsWith(`${e.path}/`))
    .sort((a, b) => b.path.length - a.path.length || Number(b.key === own) - Number(a.key === own))[0];
}
