import { isWerfError } from "../../core/errors.js";
import type { HttpClient } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import { isLoopback } from "../../http/proxy.js";
import { dockerHub } from "../../oci/reference.js";
import { Authority } from "../auth/authority.js";
import { type DockerConfig, loadDockerConfig } from "../auth/docker-config.js";

/** Docker Hub's API is not at the host of its addresses. */
const dockerHubApiHost = "registry-1.docker.io";

/** One registry host in one run: its scheme and who we are to it. Shared by all repositories there. */
export interface RegistryHost {
  /** As in addresses. */
  readonly host: string;
  readonly authority: Authority;
  /** Whether credentials may go out in plain HTTP. */
  readonly plainAllowed: boolean;
  /** `https://HOST`, or `http://HOST` where that is allowed and TLS isn't spoken. @throws WerfError `http/*` */
  origin(): Promise<string>;
}

export interface HostOptions {
  readonly host: string;
  /** Plain HTTP is allowed; it always is for loopback addresses. */
  readonly insecure: boolean;
  readonly dockerConfigDir?: string | undefined;
}

/** Hosts by what was asked of them, for as long as the HTTP client of the run lives. */
const hostsOfRun = new WeakMap<HttpClient, Map<string, RegistryHost>>();

export function registryHost(run: RunContext, options: HostOptions): RegistryHost {
  const hosts = hostsOfRun.get(run.http) ?? new Map<string, RegistryHost>();
  hostsOfRun.set(run.http, hosts);
  const key = JSON.stringify([options.host, options.insecure, options.dockerConfigDir ?? ""]);
  const host = hosts.get(key) ?? createHost(run, options);
  hosts.set(key, host);
  return host;
}

function createHost(run: RunContext, options: HostOptions): RegistryHost {
  const apiHost = options.host === dockerHub ? dockerHubApiHost : options.host;
  const plainAllowed = options.insecure || isLoopback(new URL(`https://${apiHost}`).hostname);
  let config: Promise<DockerConfig> | undefined;
  let origin: Promise<string> | undefined;
  return {
    host: options.host,
    plainAllowed,
    authority: new Authority(run, {
      host: options.host,
      plainAllowed,
      async credentialFor(repository) {
        config ??= loadDockerConfig(run, options.dockerConfigDir);
        return (await config).credentialFor(repository);
      },
    }),
    async origin() {
      origin ??= plainAllowed ? findOrigin(run, apiHost) : Promise.resolve(`https://${apiHost}`);
      try {
        return await origin;
      } catch (error) {
        origin = undefined;
        throw error;
      }
    },
  };
}

/** Plain HTTP only when TLS is not spoken at all: a certificate that isn't trusted is no reason for it. */
async function findOrigin(run: RunContext, apiHost: string): Promise<string> {
  const secure = `https://${apiHost}`;
  try {
    // Any answer will do.
    const response = await run.http.request({ method: "GET", url: `${secure}/v2/`, redirect: "manual" });
    await response.discard();
    return secure;
  } catch (error) {
    const noTls = isWerfError(error) && (error.code === "http/tls-protocol" || error.code === "http/refused");
    if (!noTls) throw error;
    // Whether anything is there at all, the first request will tell.
    return `http://${apiHost}`;
  }
}
