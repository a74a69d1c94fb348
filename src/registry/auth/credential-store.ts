import { join } from "node:path";
import type { RunContext } from "../../core/run-context.js";
import { eraseFromHelper, storeWithHelper } from "./credential-helper.js";
import { helperFor } from "./docker-config.js";
import {
  changeConfigFile,
  dockerConfigDirectory,
  type JsonObject,
  objectOrEmpty,
  readConfigFile,
} from "./docker-config-file.js";
import type { Login } from "./login.js";
import { canonicalHost, parseServerKey, serverName } from "./server-key.js";

export interface CredentialStoreOptions {
  /** `--docker-config`; default: the environment's, `~/.docker`. */
  readonly dockerConfigDir?: string | undefined;
  /**
   * Into the file, past the helper or store that is configured: for a private copy of a configuration, whose logins
   * must not get into the store that all share. The host is marked so that reading asks the file as well.
   */
  readonly fileOnly?: boolean;
}

export type StoredIn =
  /** As plain text. */
  { readonly kind: "file"; readonly file: string } | { readonly kind: "helper"; readonly program: string };

/**
 * Keeps a login where Docker would: in the credential helper of the host, the credential store, or config.json. It
 * replaces every login to the same host; logins below a path of it stay.
 * @throws WerfError `registry/docker-config-invalid`, `registry/docker-config-unwritable`,
 * `registry/credential-helper-missing`, `registry/credential-helper-failed`
 */
export async function storeCredential(
  run: RunContext,
  login: Login,
  options: CredentialStoreOptions = {},
): Promise<StoredIn> {
  const file = join(dockerConfigDirectory(run, options.dockerConfigDir), "config.json");
  const key = serverName(login.host);
  const helper = helperFor((await readConfigFile(file)) ?? {}, file, login.host);
  if (helper !== "" && options.fileOnly !== true) {
    await storeWithHelper(run, helper, key, credentialOf(login));
    // As Docker does: the entry tells who looks into the file that there is a login.
    await changeConfigFile(run, file, (json) => withEntry(json, file, login.host, {}));
    return { kind: "helper", program: `docker-credential-${helper}` };
  }
  await changeConfigFile(run, file, (json) => {
    const changed = withEntry(json, file, login.host, entryOf(login));
    if (helperFor(json, file, login.host) === "") return changed;
    return {
      ...changed,
      credHelpers: { ...objectOrEmpty(json["credHelpers"], "credHelpers", file), [key]: "" },
    };
  });
  return { kind: "file", file };
}

/** Forgets the logins to the host. `false`: there was none. @throws as `storeCredential` */
export async function eraseCredential(
  run: RunContext,
  host: string,
  options: Pick<CredentialStoreOptions, "dockerConfigDir"> = {},
): Promise<boolean> {
  const file = join(dockerConfigDirectory(run, options.dockerConfigDir), "config.json");
  const json = await readConfigFile(file);
  if (json === undefined) return false;
  const helper = helperFor(json, file, host);
  let erased = helper !== "" && (await eraseFromHelper(run, helper, serverName(host)));
  await changeConfigFile(run, file, (current) => {
    const auths = objectOrEmpty(current["auths"], "auths", file);
    const left = withoutHost(auths, host, true);
    if (Object.keys(left).length === Object.keys(auths).length) return undefined;
    erased = true;
    return { ...current, auths: left };
  });
  return erased;
}

function withEntry(json: JsonObject, file: string, host: string, entry: JsonObject): JsonObject {
  const auths = withoutHost(objectOrEmpty(json["auths"], "auths", file), host, false);
  return { ...json, auths: { ...auths, [serverName(host)]: entry } };
}

/** Docker Hub's API tokens belong to the login of old: they go with it, and are not replaced. */
function withoutHost(auths: JsonObject, host: string, hubApi: boolean): JsonObject {
  return Object.fromEntries(
    Object.entries(auths).filter(([key]) => {
      const server = parseServerKey(key);
      if (server.host !== canonicalHost(host)) return true;
      return server.isHubApi ? !hubApi : server.path !== "";
    }),
  );
}

function credentialOf({ username, password, identityToken }: Login): Parameters<typeof storeWithHelper>[3] {
  return identityToken === undefined
    ? { kind: "basic", username, password }
    : { kind: "identity-token", token: identityToken };
}

function entryOf({ username, password, identityToken }: Login): JsonObject {
  const auth = (secret: string): string => Buffer.from(`${username}:${secret}`).toString("base64");
  // Beside an identity token, podman's readers want `auth` with the user alone.
  return identityToken === undefined
    ? { auth: auth(password) }
    : { auth: auth(""), identitytoken: identityToken };
}
