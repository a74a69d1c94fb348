import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { eraseCredential, storeCredential } from "../registry/auth/credential-store.js";
import { loadDockerConfig } from "../registry/auth/docker-config.js";
import { loginHost } from "../registry/auth/login.js";
import { verifyCredential } from "../registry/auth/verify-login.js";

export interface LogoutSettings {
  /** Absent: Docker Hub. */
  readonly registry?: string | undefined;
  readonly dockerConfig?: string | undefined;
}

export interface LoginSettings extends LogoutSettings {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The password comes from standard input. */
  readonly passwordStdin: boolean;
  /** Plain HTTP is allowed. */
  readonly insecureRegistry: boolean;
}

/** Where what isn't given comes from. */
export interface LoginInput {
  readonly isTerminal: boolean;
  readAll(): Promise<string>;
  ask(question: string, options: { readonly echo: boolean }): Promise<string>;
}

/**
 * `werf cr login`: the login is tried at the registry, and kept when that takes it.
 * @throws WerfError `registry/login-incomplete`, `registry/host-invalid`, and what verifying and keeping throw
 */
export async function logIn(run: RunContext, settings: LoginSettings, input: LoginInput): Promise<void> {
  const host = loginHost(settings.registry);
  const { username, password } = await askMissing(settings, input);
  const options = { insecure: settings.insecureRegistry };
  const { login, checked } = await verifyCredential(run, { host, username, password }, options);
  if (!checked) {
    run.emit({
      code: "warning",
      id: "registry/login-unchecked",
      message: `${host} lets everybody in, so the password could not be checked`,
    });
  }
  const stored = await storeCredential(run, login, { dockerConfigDir: settings.dockerConfig });
  if (stored.kind === "helper") return;
  run.emit({
    code: "warning",
    id: "registry/login-plain-text",
    message: `the login is kept as plain text in ${stored.file}`,
    hint: "to keep it encrypted, name a credential helper as credsStore in that file (docker-credential-helpers)",
  });
}

/** `werf cr logout`. Tells when there was no login, and when another one is left. */
export async function logOut(run: RunContext, { registry, dockerConfig }: LogoutSettings): Promise<void> {
  const host = loginHost(registry);
  const erased = await eraseCredential(run, host, { dockerConfigDir: dockerConfig });
  if (!erased) run.emit({ code: "note", level: "info", message: `there was no login to ${host}` });
  const left = await (await loadDockerConfig(run, dockerConfig)).credentialFor({ host, name: "" });
  if (left === undefined) return;
  run.emit({
    code: "warning",
    id: "registry/login-left",
    message: `another tool's login to ${host} is left, and will be used`,
    hint: `end it as well: podman logout ${host}, skopeo logout ${host}`,
  });
}

async function askMissing(
  settings: LoginSettings,
  input: LoginInput,
): Promise<{ username: string; password: string }> {
  const { username, password, passwordStdin } = settings;
  if (passwordStdin && password !== undefined) {
    throw incomplete("the password is given twice", "use either --password or --password-stdin");
  }
  if (passwordStdin && username === undefined) {
    throw incomplete("the user name is missing", "standard input has the password: add --username");
  }
  if (!input.isTerminal && username === undefined) {
    throw incomplete("the user name is missing", "add --username, or set WERF_USERNAME");
  }
  if (!input.isTerminal && password === undefined && !passwordStdin) {
    throw incomplete("the password is missing", "add --password-stdin and pipe it in, or set WERF_PASSWORD");
  }
  const given = {
    username: username ?? (await input.ask("Username: ", { echo: true })),
    password: passwordStdin
      ? (await input.readAll()).replace(/\r?\n$/, "")
      : (password ?? (await input.ask("Password: ", { echo: false }))),
  };
  if (given.username === "") throw incomplete("the user name is empty", "type it, or add --username");
  if (given.username.includes(":")) {
    throw incomplete("the user name has a colon", "HTTP allows none in it (RFC 7617)");
  }
  if (given.password === "") throw incomplete("the password is empty", "is what is piped in there?");
  return given;
}

function incomplete(message: string, hint: string): WerfError {
  return new WerfError("registry/login-incomplete", message, { hint, exitCode: 2 });
}
