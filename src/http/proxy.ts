import { BlockList, isIP } from "node:net";
import { WerfError } from "../core/errors.js";
import type { Redactor } from "../core/run-context.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** The metadata services of the clouds: they give out credentials, and are reached directly or not at all. */
const metadataHosts: ReadonlySet<string> = new Set([
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "[fd00:ec2::254]",
  "[fd00:ec2::23]",
  "metadata.google.internal",
]);

export function isMetadataHost(hostname: string): boolean {
  return metadataHosts.has(hostname.toLowerCase().replace(/\.$/, ""));
}

export interface ProxyRules {
  /** The proxy for this address; `undefined`: a direct connection. */
  proxyOf(url: URL): URL | undefined;
}

/**
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or lower-case) as Go's programs read them, so that werf and its
 * neighbours go the same way: an entry is `*`, a domain (its subdomains included), `.domain` (only those),
 * an address or a CIDR block, the first three with an optional `:port`; loopback addresses are never proxied.
 * @throws WerfError `http/proxy-invalid`
 */
export function proxyRules(env: Environment, secrets: Redactor): ProxyRules {
  const https = parseProxy("HTTPS_PROXY", env, secrets);
  const http = parseProxy("HTTP_PROXY", env, secrets);
  const isExempt = exemptions(env["NO_PROXY"] || env["no_proxy"] || "");
  return {
    proxyOf(url) {
      const proxy = url.protocol === "https:" ? https : http;
      if (proxy === undefined || isMetadataHost(url.hostname) || isLoopback(url.hostname)) return undefined;
      return isExempt(url) ? undefined : proxy;
    },
  };
}

/** `localhost`, `127.0.0.0/8` and `::1`, as they stand in a URL. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase();
  return host === "localhost" || host === "[::1]" || (isIP(host) === 4 && host.startsWith("127."));
}

function parseProxy(name: string, env: Environment, secrets: Redactor): URL | undefined {
  const value = env[name] || env[name.toLowerCase()];
  if (value === undefined || value === "") return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(?:https?|socks5?):$/.test(url.protocol) || url.hostname === "") {
    throw new WerfError("http/proxy-invalid", `the value of ${name} is not the address of a proxy`, {
      hint: `write ${name}=http://HOST:PORT`,
      exitCode: 2,
    });
  }
  if (url.password !== "") secrets.add(decodeURIComponent(url.password));
  return url;
}

function exemptions(noProxy: string): (url: URL) => boolean {
  const entries = noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "");
  if (entries.includes("*")) return () => true;
  const blocks = new BlockList();
  const names: { readonly name: string; readonly port: string | undefined }[] = [];
  for (const entry of entries) {
    if (!addBlock(blocks, entry)) names.push(splitPort(entry));
  }
  return (url) => {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const family = isIP(host);
    if (family !== 0 && blocks.check(host, family === 6 ? "ipv6" : "ipv4")) return true;
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    return names.some(
      (entry) => (entry.port === undefined || entry.port === port) && covers(entry.name, host),
    );
  };
}

function addBlock(blocks: BlockList, entry: string): boolean {
  const [address = "", bits] = entry.split("/");
  const family = isIP(address);
  if (family === 0) return false;
  const type = family === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) blocks.addAddress(address, type);
  else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32)) {
    blocks.addSubnet(address, Number(bits), type);
  }
  return true;
}

function splitPort(entry: string): { name: string; port: string | undefined } {
  const match = /^(.+):(\d+)$/.exec(entry);
  const name = (match?.[1] ?? entry).replace(/^\*/, "").replace(/^\[|\]$/g, "");
  return { name, port: match?.[2] };
}

function covers(name: string, host: string): boolean {
  if (name.startsWith(".")) return host.endsWith(name);
  return host === name || host.endsWith(`.${name}`);
}
