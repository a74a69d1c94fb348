import {
  type DockerConfigJson,
  mergeConfigs,
  parseAuthConfig,
  privateConfig,
} from "../ci-env/docker-config.js";
import { ciSystems } from "../ci-env/index.js";
import { createJobDirectory, sweepJobDirectories } from "../ci-env/job-directory.js";
import { dockerConfigSection, renderScript } from "../ci-env/script.js";
import { writeOutputFile, writeScriptFile } from "../ci-env/script-file.js";
import { cmdexe } from "../ci-env/syntax/cmdexe.js";
import { envFile } from "../ci-env/syntax/env-file.js";
import { posix } from "../ci-env/syntax/posix.js";
import { powershell } from "../ci-env/syntax/powershell.js";
import type { Syntax } from "../ci-env/syntax/syntax.js";
import type { CiSystem, RegistryLogin } from "../ci-env/system.js";
import { isWerfError, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { storeCredential } from "../registry/auth/credential-store.js";
import { loadDockerConfig } from "../registry/auth/docker-config.js";
import { configFiles, dockerConfigDirectory, readConfigFile } from "../registry/auth/docker-config-file.js";
import { verifyCredential } from "../registry/auth/verify-login.js";
import { type ProjectSettings, userPath, withProject } from "./project.js";

export interface CiEnvSettings extends ProjectSettings {
  /** `gitlab` or `github`. */
  readonly system: string | undefined;
  readonly shell?: string | undefined;
  readonly asFile: boolean;
  readonly asEnvFile: boolean;
  readonly outputFilePath?: string | undefined;
  readonly loginToRegistry: boolean;
  readonly useDockerAuthConfig: boolean;
  readonly dockerConfig?: string | undefined;
  /** Plain HTTP is allowed for the registry of the CI system. */
  readonly insecureRegistry: boolean;
  /** Whether the script shows what it sets. */
  readonly logVerbose: boolean;
  /** Where the job's Docker configuration is made. */
  readonly temporary: string;
}

export type CiEnvResult =
  /** For the shell to evaluate. */
  | { readonly kind: "script"; readonly text: string }
  /** A file was written; its path is only told when the user didn't name it. */
  | { readonly kind: "file"; readonly path: string; readonly isNamed: boolean };

const shells: ReadonlyMap<string, Syntax> = new Map([
  ["", posix],
  ["default", posix],
  ["bash", posix],
  ["powershell", powershell],
  ["cmdexe", cmdexe],
]);

/**
 * What a CI job needs to work with werf: variables made of the CI system's own, a Docker configuration of the
 * job's own, and a login to the CI system's registry in it.
 * @throws WerfError `ci-env/*`, `cli/option-invalid`, `registry/*`, and what reading werf.yaml throws
 */
export async function makeCiEnvironment(run: RunContext, settings: CiEnvSettings): Promise<CiEnvResult> {
  const system = systemOf(settings.system);
  const syntax = syntaxOf(settings);
  await sweepJobDirectories(run);
  const project = system.needsProject(run.env) ? await projectName(run, settings) : undefined;
  const login = settings.loginToRegistry ? system.login(run.env) : undefined;
  // Checked first: a refused login leaves nothing behind.
  const verified = login === undefined ? undefined : (await verify(run, login, settings)).login;
  const job = await createJobDirectory(run, {
    temporary: settings.temporary,
    source: settings.useDockerAuthConfig ? undefined : dockerConfigDirectory(run, settings.dockerConfig),
    config: privateConfig(await baseConfig(run, settings), login?.host),
  });
  try {
    if (verified !== undefined)
      await storeCredential(run, verified, { dockerConfigDir: job.path, fileOnly: true });
    // Makes its secrets known to the run, and tells a damaged one now rather than in the middle of the job.
    await loadDockerConfig(run, job.path);
    const sections = [dockerConfigSection(job.path), ...system.sections(run.env, project)];
    const text = renderScript(sections, { syntax, env: run.env, verbose: settings.logVerbose });
    return await deliver(run, text, syntax, settings);
  } catch (error) {
    await job.discard();
    throw error;
  }
}

/** The host that a job of the system logs in to: `--skip-tls-verify-registry` is about it. */
export function ciRegistryHost(name: string | undefined, env: RunContext["env"]): string | undefined {
  return ciSystems.get(name ?? "")?.login(env)?.host;
}

function systemOf(name: string | undefined): CiSystem {
  const system = ciSystems.get(name ?? "");
  if (system !== undefined) return system;
  const known = [...ciSystems.keys()].join(" or ");
  const message = name === undefined ? "the CI system is missing" : `"${name}" is no CI system that is known`;
  throw new WerfError("ci-env/system-unknown", message, { hint: `name ${known}`, exitCode: 2 });
}

function syntaxOf({ shell, asFile, asEnvFile, outputFilePath }: CiEnvSettings): Syntax {
  if (outputFilePath !== undefined && !asFile && !asEnvFile) {
    throw new WerfError(
      "cli/option-invalid",
      "--output-file-path says where a file goes, and none is asked for",
      {
        hint: "add --as-file or --as-env-file",
        exitCode: 2,
      },
    );
  }
  const syntax = shells.get(shell ?? "");
  if (syntax === undefined) {
    throw new WerfError("cli/option-invalid", `--shell: "${shell}" is not known`, {
      hint: `one of ${[...shells.keys()].filter((name) => name !== "").join(", ")}`,
      exitCode: 2,
    });
  }
  return asEnvFile ? envFile : syntax;
}

/** A repository without werf.yaml is fine: there is an environment to be had without it. */
async function projectName(run: RunContext, settings: CiEnvSettings): Promise<string | undefined> {
  try {
    return await withProject(run, settings, async ({ config }) => config.project);
  } catch (error) {
    if (isWerfError(error) && error.code === "config/missing") return undefined;
    throw error;
  }
}

function verify(
  run: RunContext,
  login: RegistryLogin,
  { insecureRegistry }: CiEnvSettings,
): ReturnType<typeof verifyCredential> {
  return verifyCredential(run, login, { insecure: insecureRegistry });
}

async function baseConfig(run: RunContext, settings: CiEnvSettings): Promise<DockerConfigJson> {
  if (settings.useDockerAuthConfig) return parseAuthConfig(run.env["DOCKER_AUTH_CONFIG"]);
  const files = await Promise.all(configFiles(run, settings.dockerConfig).map(readConfigFile));
  return mergeConfigs(files.filter((file) => file !== undefined));
}

async function deliver(
  run: RunContext,
  text: string,
  { extension }: Syntax,
  { asFile, asEnvFile, outputFilePath }: CiEnvSettings,
): Promise<CiEnvResult> {
  if (!asFile && !asEnvFile) return { kind: "script", text };
  if (outputFilePath === undefined) {
    const path = await writeScriptFile(run, text, { prefix: asEnvFile ? ".env" : "source", extension });
    return { kind: "file", path, isNamed: false };
  }
  const path = userPath(run, outputFilePath);
  await writeOutputFile(path, text);
  return { kind: "file", path, isNamed: true };
}
