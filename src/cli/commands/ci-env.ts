import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { parseBoolean } from "../options/resolve.js";
import { projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const ciEnv: RunCommand = defineCommand({
  arguments: "<gitlab|github>",
  options: [
    "asFile",
    "asEnvFile",
    "outputFilePath",
    "shell",
    "loginToRegistry",
    "useDockerAuthConfig",
    "tmpDir",
    "logVerbose",
    ...projectOptions,
    ...registryOptions,
  ],
  description: [
    "Makes werf's variables out of those of the CI system, and a Docker configuration that only this job sees: a copy of the user's, with a login to the CI system's own registry. Standard output has the script alone; evaluate it in the shell of the job. When something fails, it is `exit 1`.",
  ],
  examples: [
    '. "$(werf ci-env gitlab --as-file)"',
    'eval "$(werf ci-env github)"',
    "werf ci-env gitlab --shell powershell | Out-String | Invoke-Expression",
    "werf ci-env gitlab --as-env-file -o job.env",
  ],
  isEvaluated: true,
  async registryOfEnvironment([system], env) {
    const { ciRegistryHost } = await import("../../actions/ci-env.js");
    return ciRegistryHost(system, env);
  },
  failureOutput: (argv, env) => (asksForFile(argv, env) ? "" : "exit 1\n"),
  async execute(run, { options, args, output }) {
    const { makeCiEnvironment } = await import("../../actions/ci-env.js");
    const temporary = resolve(run.cwd, options.tmpDir ?? tmpdir());
    const result = await makeCiEnvironment(run, { ...options, system: args[0], temporary });
    if (result.kind === "script") output.verbatim(result.text);
    else if (!result.isNamed) output.verbatim(`${result.path}\n`);
  },
});

/** Also on a command line that could not be understood: where a path is read, `exit 1` is none. */
function asksForFile(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): boolean {
  const flagged = argv.some((word) => /^--as-(?:env-)?file(?:=(?:1|true|yes))?$/.test(word));
  return flagged || ["WERF_AS_FILE", "WERF_AS_ENV_FILE"].some((name) => parseBoolean(env[name]) === true);
}
