import { isWerfError, WerfError } from "../../core/errors.js";
import type { ExecResult } from "../../core/exec.js";
import type { RunContext } from "../../core/run-context.js";
import type { Credential } from "./credential.js";

const defaultTimeoutMs = 30_000;
/** In place of a user's name it says that the secret is an identity token. */
const identityTokenUser = "<token>";
const notFound = /credentials not found/i;

/**
 * Asks `docker-credential-NAME get`, the protocol of docker/docker-credential-helpers. `undefined`: the helper
 * has nothing for this server.
 * @throws WerfError `registry/credential-helper-missing`, `registry/credential-helper-failed`
 */
export async function askCredentialHelper(
  run: RunContext,
  name: string,
  server: string,
  timeoutMs: number = defaultTimeoutMs,
): Promise<Credential | undefined> {
  const program = programOf(name);
  const result = await runHelper(run, { program, action: "get", server, input: server, timeoutMs });
  if (result.exitCode !== 0) {
    if (notFound.test(words(result))) return undefined;
    throw refused(run, program, server, result);
  }
  const { Username, Secret } = parseOutput(textOf(result), program);
  if (typeof Secret !== "string" || Secret === "") return undefined;
  run.secrets.add(Secret);
  return Username === identityTokenUser
    ? { kind: "identity-token", token: Secret }
    : { kind: "basic", username: typeof Username === "string" ? Username : "", password: Secret };
}

/** `docker-credential-NAME store`. @throws as `askCredentialHelper` */
export async function storeWithHelper(
  run: RunContext,
  name: string,
  server: string,
  credential: Exclude<Credential, { kind: "registry-token" }>,
): Promise<void> {
  const program = programOf(name);
  const [username, secret] =
    credential.kind === "basic"
      ? [credential.username, credential.password]
      : [identityTokenUser, credential.token];
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
  const timeoutMs = defaultTimeoutMs;
  const result = await runHelper(run, { program, action: "store", server, input, timeoutMs });
  if (result.exitCode !== 0) throw refused(run, program, server, result);
}

/** `docker-credential-NAME erase`; `false`: it had nothing for this server. @throws as `askCredentialHelper` */
export async function eraseFromHelper(run: RunContext, name: string, server: string): Promise<boolean> {
  // Helpers differ in what they answer when there is nothing to erase.
  if ((await askCredentialHelper(run, name, server)) === undefined) return false;
  const program = programOf(name);
  const timeoutMs = defaultTimeoutMs;
  const result = await runHelper(run, { program, action: "erase", server, input: server, timeoutMs });
  if (result.exitCode === 0) return true;
  if (notFound.test(words(result))) return false;
  throw refused(run, program, server, result);
}

function programOf(name: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw failed(`"${name}" is no name of a credential helper`);
  return `docker-credential-${name}`;
}

interface HelperCall {
  readonly program: string;
  readonly action: "get" | "store" | "erase";
  readonly server: string;
  readonly input: string;
  readonly timeoutMs: number;
}

async function runHelper(
  run: RunContext,
  { program, action, server, input, timeoutMs }: HelperCall,
): Promise<ExecResult> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await run.exec(program, [action], {
      stdin: input,
      signal: AbortSignal.any([run.signal, timeout]),
    });
  } catch (cause) {
    if (timeout.aborted && !run.signal.aborted) {
      throw failed(`${program} did not answer within ${timeoutMs / 1000} seconds`, cause);
    }
    if (!isWerfError(cause) || cause.code !== "core/exec-missing") throw cause;
    throw new WerfError(
      "registry/credential-helper-missing",
      `the Docker configuration wants ${program} for ${server}, and it is not on PATH`,
      { hint: `install ${program}, or take it out of credHelpers and credsStore in config.json`, cause },
    );
  }
}

function textOf(result: ExecResult): string {
  return Buffer.from(result.stdout).toString("utf8").trim();
}

function words(result: ExecResult): string {
  return textOf(result) || result.stderr.trim();
}

function refused(run: RunContext, program: string, server: string, result: ExecResult): WerfError {
  const said = run.secrets.redact(words(result).slice(0, 500));
  return failed(`${program} failed for ${server} with exit code ${result.exitCode}: ${said}`);
}

function parseOutput(output: string, program: string): { Username?: unknown; Secret?: unknown } {
  try {
    const value: unknown = JSON.parse(output);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Not shown: it may hold the secret.
  }
  throw failed(`${program} did not answer with JSON`);
}

function failed(message: string, cause?: unknown): WerfError {
  return new WerfError("registry/credential-helper-failed", message, {
    hint: "run the helper by hand, or log in with `docker login`",
    cause,
  });
}
