import type { SecureContext } from "node:tls";
import type { Dispatcher } from "undici";
import type { Redactor } from "../core/run-context.js";
import { type ProxyRules, proxyRules } from "./proxy.js";
import { namedAuthorities, systemAuthorities, trustedContext } from "./tls.js";

export interface TransportOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly secrets: Redactor;
  readonly caFile?: string | undefined;
  readonly skipTlsVerifyHosts: ReadonlySet<string>;
}

export interface Route {
  readonly dispatcher: Dispatcher;
  readonly proxy: URL | undefined;
  /** Whether the authorities of the system are trusted on it. */
  readonly trustsSystem: boolean;
}

/**
 * Uploads have connections of their own: a copy within one host reads from a connection while it waits for
 * another to write to, and would wait for ever when readers held them all.
 */
export type Lane = "read" | "upload";

const connectionsPerHost = 16;
const connectTimeoutMs = 15_000;
const keepAliveMs = 20_000;

/** Pools of connections, made when first needed: undici and the certificates cost start-up time. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  #rules: ProxyRules | undefined;
  readonly #contexts = new Map<boolean, Promise<SecureContext>>();
  #trustsSystem = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** @throws WerfError `http/proxy-invalid`, `http/ca-unreadable` */
  async route(url: URL, lane: Lane): Promise<Route> {
    this.#rules ??= proxyRules(this.#options.env, this.#options.secrets);
    const proxy = this.#rules.proxyOf(url);
    const verify = !this.#options.skipTlsVerifyHosts.has(url.host);
    const trustsSystem = this.#trustsSystem;
    const key = `${lane} ${verify} ${trustsSystem} ${proxy?.href ?? "direct"}`;
    let dispatcher = this.#dispatchers.get(key);
    if (dispatcher === undefined) {
      dispatcher = this.#create(proxy, verify, trustsSystem);
      this.#dispatchers.set(key, dispatcher);
    }
    return { dispatcher: await dispatcher, proxy, trustsSystem };
  }

  /**
   * After a certificate was not trusted: whether a new route trusts more. The authorities of the system are
   * looked at only then, because reading them costs each run what few need.
   */
  async trustsMore(route: Route): Promise<boolean> {
    if (route.trustsSystem || this.#options.env["SSL_CERT_FILE"]) return false;
    this.#trustsSystem ||= (await systemAuthorities()).length > 0;
    return this.#trustsSystem;
  }

  /** Ends every connection, also one whose answer nobody has read. */
  async close(): Promise<void> {
    const dispatchers = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.allSettled(dispatchers.map(async (d) => (await d).destroy()));
  }

  async #create(proxy: URL | undefined, verify: boolean, trustsSystem: boolean): Promise<Dispatcher> {
    const context = this.#contexts.get(trustsSystem) ?? this.#createContext(trustsSystem);
    this.#contexts.set(trustsSystem, context);
    const [undici, secureContext] = await Promise.all([import("./undici.js"), context]);
    const tls = { secureContext, rejectUnauthorized: verify, timeout: connectTimeoutMs };
    const pool = { connections: connectionsPerHost, pipelining: 1, keepAliveTimeout: keepAliveMs };
    if (proxy === undefined) return new undici.Agent({ ...pool, connect: tls });
    const address = new URL(proxy);
    address.username = "";
    address.password = "";
    return new undici.ProxyAgent({
      ...pool,
      uri: address.href,
      ...proxyAuthorization(proxy),
      requestTls: tls,
      proxyTls: { secureContext, timeout: connectTimeoutMs },
      // Plain http:// goes in absolute form: companies' proxies refuse CONNECT to port 80.
      proxyTunnel: false,
    });
  }

  async #createContext(trustsSystem: boolean): Promise<SecureContext> {
    const named = await namedAuthorities(this.#options.env, this.#options.caFile);
    return trustedContext(trustsSystem ? [...named, ...(await systemAuthorities())] : named);
  }
}

function proxyAuthorization(proxy: URL): { token?: string } {
  if (proxy.username === "") return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { token: `Basic ${Buffer.from(pair).toString("base64")}` };
}
