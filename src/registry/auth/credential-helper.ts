import { isWerfError, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import type { Credential } from "./credential.js";

const timeoutMs = 30_000;
const identityTokenUser = "<token>";

/**
 * Asks `docker-credential-NAME get`, the protocol of docker/docker-credential-helpers. `undefined`: the helper
 * has nothing for this server.
 * @throws WerfError `registry/credential-helper-missing`, `registry/credential-helper-failed`
 */
export async function askCredentialHelper(
  run: RunContext,
  name: string,
  server: string,
): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw failed(`"${name}" is no name of a credential helper`);
  const result = await runHelper(run, program, server);
  const output = Buffer.from(result.stdout).toString("utf8").trim();
  if (result.exitCode !== 0) {
    if (/credentials not found/i.test(output + result.stderr)) return undefined;
    const said = run.secrets.redact((output || result.stderr.trim()).slice(0, 500));
    throw failed(`${program} failed for ${server} with exit code ${result.exitCode}: ${said}`);
  }
  const { Username, Secret } = parseOutput(output, program);
  if (typeof Secret !== "string" || Secret === "") return undefined;
  run.secrets.add(Secret);
  return Username === identityTokenUser
    ? { kind: "identity-token", token: Secret }
    : { kind: "basic", username: typeof Username === "string" ? Username : "", password: Secret };
}

async function runHelper(
  run: RunContext,
  program: string,
  server: string,
): Promise<Awaited<ReturnType<RunContext["exec"]>>> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await run.exec(program, ["get"], {
      stdin: server,
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
