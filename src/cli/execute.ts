import { namedHosts } from "../actions/named-registries.js";
import { isWerfError, WerfError } from "../core/errors.js";
import type { Redactor } from "../core/run-context.js";
import type { RunCommand } from "./commands/command.js";
import type { CommandEntry } from "./commands/index.js";
import type { CliHost } from "./host.js";
import { createInput } from "./input.js";
import { resolveOptions } from "./options/resolve.js";
import { commonOptions, type OptionName } from "./options/table.js";
import { describeFailure, noSecrets } from "./output/failure.js";
import { createPrinter, type LogLevel } from "./output/printer.js";
import { createRunContext } from "./run-context.js";

/** Runs a command with a run of its own, and returns the exit code. */
export async function execute(
  host: CliHost,
  entry: CommandEntry,
  command: RunCommand,
  flags: Readonly<Record<string, unknown>>,
  args: readonly string[],
): Promise<number> {
  const names: readonly OptionName[] = [...new Set([...command.options, ...commonOptions])];
  const options = resolveOptions(names, flags, host.env);
  const level = logLevel(options);
  const color = options.logColorMode === "on" || (options.logColorMode !== "off" && host.colors);
  const skipTls = "skipTlsVerifyRegistry" in options && options.skipTlsVerifyRegistry;
  let secrets: Redactor = noSecrets;
  const print = createPrinter({
    level,
    color,
    write: (text) => host.stderr(secrets.redact(text)),
    now: () => Date.now(),
  });
  const { run, dispose } = createRunContext({
    env: host.env,
    cwd: host.cwd,
    home: host.home,
    homeDir: options.homeDir,
    tmpDir: options.tmpDir,
    caFile: "caFile" in options ? options.caFile : undefined,
    skipTlsVerifyHosts: new Set(
      skipTls ? [...namedHosts(options), (await command.registryOfEnvironment?.(args, host.env)) ?? ""] : [],
    ),
    signal: host.signal,
    clock: host.clock,
    idleTimeoutMs: host.idleTimeoutMs,
    emit: command.isEvaluated === true ? () => undefined : print,
  });
  secrets = run.secrets;
  try {
    const output = {
      line: (text: string) => host.stdout(`${run.secrets.redact(text)}\n`),
      verbatim: (text: string) => host.stdout(text),
    };
    const input = createInput({ stream: () => host.stdin?.(), signal: host.signal, write: host.stderr });
    await command.execute(run, { options, args, input, output, hostPlatform: host.platform });
    return 0;
  } catch (error) {
    const failure = host.signal.aborted ? interrupted(entry, error) : error;
    host.stderr(describeFailure(failure, { color, debug: level === "debug", secrets }));
    return isWerfError(failure) ? failure.exitCode : 1;
  } finally {
    await dispose();
  }
}

function interrupted(entry: CommandEntry, cause: unknown): WerfError {
  return new WerfError("cli/interrupted", `${entry.path.join(" ")} was interrupted`, {
    hint: "run it again: it goes on from what is done",
    exitCode: 130,
    cause,
  });
}

function logLevel(options: { logQuiet: boolean; logVerbose: boolean; logDebug: boolean }): LogLevel {
  if (options.logDebug) return "debug";
  if (options.logVerbose) return "verbose";
  return options.logQuiet ? "quiet" : "normal";
}
