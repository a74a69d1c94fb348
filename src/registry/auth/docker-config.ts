import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { messageOf, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import { dockerHub, type RepositoryName } from "../../oci/reference.js";
import { type Credential, secretOf } from "./credential.js";
import { askCredentialHelper } from "./credential-helper.js";

/** The key under which Docker keeps Docker Hub. */
const dockerHubKey = "https://index.docker.io/v1/";
const dockerHubHosts = new Set([dockerHub, "index.docker.io", "registry-1.docker.io"]);

interface Entry {
  readonly key: string;
  readonly host: string;
  /** Of a repository or a namespace; "" for the whole host. */
  readonly path: string;
}
interface AuthEntry extends Entry {
  readonly credential: Credential;
}
interface HelperEntry extends Entry {
  readonly helper: string;
}

/** Credentials as Docker's config.json has them, and podman's auth.json. */
export interface DockerConfig {
  /** The file that was read; `undefined` when there is none. */
  readonly file: string | undefined;
  /**
   * The credential for a repository: helpers of its host, the store, then `auths`; of several entries the one
   * with the longest path. `undefined`: anonymous.
   * @throws WerfError `registry/credential-helper-missing`, `registry/credential-helper-failed`
   */
  credentialFor(repository: RepositoryName): Promise<Credential | undefined>;
}

/** `explicit`, WERF_DOCKER_CONFIG, DOCKER_CONFIG or `~/.docker`, in this order. */
export function dockerConfigDirectory(run: RunContext, explicit?: string): string {
  const named = explicit || run.env["WERF_DOCKER_CONFIG"] || run.env["DOCKER_CONFIG"];
  return named ? resolve(run.cwd, named) : join(run.home, ".docker");
}

/** @throws WerfError `registry/docker-config-invalid` */
export async function loadDockerConfig(run: RunContext, explicit?: string): Promise<DockerConfig> {
  const found = await firstFile(candidates(run, explicit));
  const json = found === undefined ? {} : parseObject(found.text, found.file);
  const source = found?.file ?? "";
  const auths = authEntries(json["auths"], source);
  for (const { credential } of auths) {
    const secret = secretOf(credential);
    run.secrets.add(secret);
    // The `auth` field as it stands in the file, and as it goes over the wire.
    if (credential.kind === "basic") {
      run.secrets.add(Buffer.from(`${credential.username}:${secret}`).toString("base64"));
    }
  }
  const helpers = helperEntries(json["credHelpers"], source);
  const store = typeof json["credsStore"] === "string" ? json["credsStore"] : "";
  return {
    file: found?.file,
    async credentialFor(repository) {
      const helper = bestMatch(helpers, repository);
      if (helper !== undefined) {
        const credential = await askCredentialHelper(run, helper.helper, serverName(helper.key));
        if (credential !== undefined) return credential;
      } else if (store !== "") {
        const credential = await askStore(run, store, serverName(repository.host));
        if (credential !== undefined) return credential;
      }
      return bestMatch(auths, repository)?.credential;
    },
  };
}

function candidates(run: RunContext, explicit?: string): string[] {
  const files = [join(dockerConfigDirectory(run, explicit), "config.json")];
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = run.env;
  if (REGISTRY_AUTH_FILE) files.push(resolve(run.cwd, REGISTRY_AUTH_FILE));
  if (XDG_RUNTIME_DIR) files.push(join(XDG_RUNTIME_DIR, "containers", "auth.json"));
  files.push(join(XDG_CONFIG_HOME || join(run.home, ".config"), "containers", "auth.json"));
  return files;
}

async function firstFile(files: readonly string[]): Promise<{ file: string; text: string } | undefined> {
  for (const file of files) {
    try {
      return { file, text: await readFile(file, "utf8") };
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== "ENOENT" && code !== "ENOTDIR") throw invalid(file, messageOf(cause), cause);
    }
  }
  return undefined;
}

/** The store is for every host: a missing one must not keep a public image from being pulled. */
async function askStore(run: RunContext, store: string, server: string): Promise<Credential | undefined> {
  try {
    return await askCredentialHelper(run, store, server);
  } catch (error) {
    if (!(error instanceof WerfError) || error.code !== "registry/credential-helper-missing") throw error;
    run.emit({
      code: "warning",
      id: "registry/credential-helper-missing",
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
    return undefined;
  }
}

/** What a helper knows the server by. */
function serverName(hostOrKey: string): string {
  return dockerHubHosts.has(hostOrKey) ? dockerHubKey : hostOrKey;
}

function bestMatch<T extends Entry>(entries: readonly T[], repository: RepositoryName): T | undefined {
  const host = canonicalHost(repository.host);
  return entries
    .filter((e) => e.host === host && (e.path === "" || `${repository.name}/`.startsWith(`${e.path}/`)))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

/** A key is a host, a host with a path, or an address of old with scheme and `/v1/`. */
function entryOf(key: string): Entry {
  const address = key.replace(/^[a-z]+:\/\//i, "").replace(/\/+$/, "");
  const slash = address.indexOf("/");
  const host = canonicalHost(slash === -1 ? address : address.slice(0, slash));
  const path = slash === -1 ? "" : address.slice(slash + 1);
  return { key, host, path: /^v[12]$/.test(path) ? "" : path };
}

function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return dockerHubHosts.has(lower) ? dockerHub : lower.replace(/:443$/, "");
}

function authEntries(auths: unknown, file: string): AuthEntry[] {
  return Object.entries(objectOrEmpty(auths, "auths", file)).flatMap(([key, value]) => {
    const credential = credentialOf(objectOrEmpty(value, `auths["${key}"]`, file), key, file);
    return credential === undefined ? [] : [{ ...entryOf(key), credential }];
  });
}

function helperEntries(helpers: unknown, file: string): HelperEntry[] {
  return Object.entries(objectOrEmpty(helpers, "credHelpers", file)).flatMap(([key, helper]) =>
    typeof helper === "string" && helper !== "" ? [{ ...entryOf(key), helper }] : [],
  );
}

function credentialOf(entry: Record<string, unknown>, key: string, file: string): Credential | undefined {
  const text = (field: string): string => (typeof entry[field] === "string" ? entry[field] : "");
  if (text("registrytoken") !== "") return { kind: "registry-token", token: text("registrytoken") };
  if (text("identitytoken") !== "") return { kind: "identity-token", token: text("identitytoken") };
  if (text("auth") !== "") {
    const pair = Buffer.from(text("auth"), "base64").toString("utf8").replace(/\0+$/, "");
    const colon = pair.indexOf(":");
    if (colon <= 0) throw invalid(file, `auths["${key}"].auth is not base64 of USER:PASSWORD`);
    return { kind: "basic", username: pair.slice(0, colon), password: pair.slice(colon + 1) };
  }
  if (text("username") === "") return undefined;
  return { kind: "basic", username: text("username"), password: text("password") };
}

function parseObject(text: string, file: string): Record<string, unknown> {
  try {
    return objectOrEmpty(text.trim() === "" ? {} : JSON.parse(text), "the file", file);
  } catch (cause) {
    if (cause instanceof WerfError) throw cause;
    // The parser's message quotes what it read, which may be a secret.
    throw invalid(file, "it is not JSON");
  }
}

function objectOrEmpty(value: unknown, what: string, file: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(file, `${what} is not a JSON object`);
}

function invalid(file: string, what: string, cause?: unknown): WerfError {
  return new WerfError("registry/docker-config-invalid", `${file} can't be used: ${what}`, {
    hint: "repair the file, or log in anew with `docker login`",
    cause,
  });
}
