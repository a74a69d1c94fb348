import { CommanderError } from "commander";
import { isWerfError, WerfError } from "../core/errors.js";
import type { Redactor } from "../core/run-context.js";
import type { Command } from "./commands/command.js";
import type { CommandEntry } from "./commands/index.js";
import { resolveOptions } from "./options/resolve.js";
import { commonOptions, type OptionName } from "./options/table.js";
import { describeFailure } from "./output/failure.js";
import { createPrinter, type LogLevel } from "./output/printer.js";
import { buildProgram, normalizeBooleans } from "./program.js";
import { createRunContext } from "./run-context.js";

/** What a process is, so that the command line runs inside a test as it does in a shell. */
export interface CliHost {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** `linux/amd64` */
  readonly platform: string;
  readonly colors: boolean;
  readonly signal: AbortSignal;
  stdout(text: string): void;
  stderr(text: string): void;
}

const noSecrets: Redactor = { add: () => undefined, redact: (text) => text };

/** Runs one command line. Returns the exit code: 0 done, 1 failed, 2 wrong command line, 130 interrupted. */
export async function runCli(host: CliHost): Promise<number> {
  try {
    let exitCode = 0;
    const argv = normalizeBooleans(host.argv);
    const program = await buildProgram({ ...host, argv }, async (entry, command, flags, args) => {
      exitCode = await execute(host, entry, command, flags, args);
    });
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    host.stderr(describeFailure(error, { color: host.colors, debug: false, secrets: noSecrets }));
    return isWerfError(error) ? error.exitCode : 1;
  }
}

async function execute(
  host: CliHost,
  entry: CommandEntry,
  command: Command,
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
      skipTls ? (command.registries?.(options, args) ?? []).filter((h) => h !== undefined) : [],
    ),
    signal: host.signal,
    emit: print,
  });
  secrets = run.secrets;
  try {
    const output = { line: (text: string) => host.stdout(`${run.secrets.redact(text)}\n`) };
    await command.execute(run, { options, args, output, hostPlatform: host.platform });
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
