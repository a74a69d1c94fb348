import { WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import type { RepositoryName } from "../../oci/reference.js";
import { type Credential, secretOf } from "./credential.js";
import { askCredentialHelper } from "./credential-helper.js";
import {
  configFiles,
  configInvalid,
  type JsonObject,
  objectOrEmpty,
  readConfigFile,
} from "./docker-config-file.js";
import { bestMatch, parseServerKey, type ServerKey, serverName } from "./server-key.js";

export { dockerConfigDirectory } from "./docker-config-file.js";

interface AuthEntry extends ServerKey {
  readonly credential: Credential;
}
interface HelperEntry extends ServerKey {
  /** "" is Docker's way to say: for this host no store, but the file. */
  readonly helper: string;
}

/** Credentials as Docker's config.json has them, and podman's auth.json. */
export interface DockerConfig {
  /**
   * The credential for a repository: of the first file that has one, and in it of the entry with the longest path;
   * of a host's the helper's or the store's, then that of `auths`. `undefined`: anonymous.
   * @throws WerfError `registry/credential-helper-missing`, `registry/credential-helper-failed`
   */
  credentialFor(repository: RepositoryName): Promise<Credential | undefined>;
}

/** @throws WerfError `registry/docker-config-invalid` */
export async function loadDockerConfig(run: RunContext, explicit?: string): Promise<DockerConfig> {
  const [first, ...later] = configFiles(run, explicit);
  const sources = [await readSource(run, first)];
  return {
    async credentialFor(repository) {
      for (let i = 0; i <= later.length; i++) {
        // Only read when asked: a broken file that nobody needs breaks nothing.
        if (i === sources.length) sources.push(await readSource(run, later[i - 1]));
        const source = sources[i];
        const credential = source && (await credentialIn(run, source, repository));
        if (credential !== undefined) return credential;
      }
      return undefined;
    },
  };
}

async function readSource(run: RunContext, file: string | undefined): Promise<Source | undefined> {
  const json = file === undefined ? undefined : await readConfigFile(file);
  return file === undefined || json === undefined ? undefined : sourceOf(run, file, json);
}

/** What one file says. */
interface Source {
  readonly auths: readonly AuthEntry[];
  readonly helpers: readonly HelperEntry[];
  /** "": none. */
  readonly store: string;
}

function sourceOf(run: RunContext, file: string, json: JsonObject): Source {
  const auths = authEntries(json["auths"], file);
  for (const { credential } of auths) {
    const secret = secretOf(credential);
    run.secrets.add(secret);
    // The `auth` field as it stands in the file, and as it goes over the wire.
    if (credential.kind === "basic") {
      run.secrets.add(Buffer.from(`${credential.username}:${secret}`).toString("base64"));
    }
  }
  return { auths, helpers: helperEntries(json["credHelpers"], file), store: storeOf(json) };
}

async function credentialIn(
  run: RunContext,
  { auths, helpers, store }: Source,
  repository: RepositoryName,
): Promise<Credential | undefined> {
  const plain = bestMatch(auths, repository);
  const helper = bestMatch(helpers, repository);
  // An entry for a part of a host says more than a helper for all of it.
  if (plain !== undefined && plain.path.length > (helper?.path.length ?? 0)) return plain.credential;
  const asked =
    helper === undefined
      ? await askStore(run, store, serverName(repository.host))
      : await askHelper(run, helper);
  return asked ?? plain?.credential;
}

async function askHelper(
  run: RunContext,
  { helper, key, host }: HelperEntry,
): Promise<Credential | undefined> {
  if (helper === "") return undefined;
  return askCredentialHelper(run, helper, serverName(host) === host ? key : serverName(host));
}

/** The store is for every host: a missing one must not keep a public image from being pulled. */
async function askStore(run: RunContext, store: string, server: string): Promise<Credential | undefined> {
  if (store === "") return undefined;
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

/** The helper that keeps logins to the host, by its short name; "" for none. */
export function helperFor(json: JsonObject, file: string, host: string): string {
  const own = helperEntries(json["credHelpers"], file).filter(({ path }) => path === "");
  return bestMatch(own, { host, name: "" })?.helper ?? storeOf(json);
}

function storeOf(json: JsonObject): string {
  return typeof json["credsStore"] === "string" ? json["credsStore"] : "";
}

function authEntries(auths: unknown, file: string): AuthEntry[] {
  return Object.entries(objectOrEmpty(auths, "auths", file)).flatMap(([key, value]) => {
    const server = parseServerKey(key);
    if (server.isHubApi) return [];
    const credential = credentialOf(objectOrEmpty(value, `auths["${key}"]`, file), key, file);
    return credential === undefined ? [] : [{ ...server, credential }];
  });
}

function helperEntries(helpers: unknown, file: string): HelperEntry[] {
  return Object.entries(objectOrEmpty(helpers, "credHelpers", file)).flatMap(([key, helper]) =>
    typeof helper === "string" ? [{ ...parseServerKey(key), helper }] : [],
  );
}

function credentialOf(entry: JsonObject, key: string, file: string): Credential | undefined {
  const text = (field: string): string => (typeof entry[field] === "string" ? entry[field] : "");
  if (text("registrytoken") !== "") return { kind: "registry-token", token: text("registrytoken") };
  if (text("identitytoken") !== "") return { kind: "identity-token", token: text("identitytoken") };
  if (text("auth") !== "") {
    const pair = Buffer.from(text("auth"), "base64").toString("utf8").replace(/\0+$/, "");
    const colon = pair.indexOf(":");
    if (colon <= 0) throw configInvalid(file, `auths["${key}"].auth is not base64 of USER:PASSWORD`);
    return { kind: "basic", username: pair.slice(0, colon), password: pair.slice(colon + 1) };
  }
  if (text("username") === "") return undefined;
  return { kind: "basic", username: text("username"), password: text("password") };
}
