import { CommanderError } from "commander";
import { isWerfError } from "../core/errors.js";
import type { PlainCommand } from "./commands/command.js";
import type { CliHost } from "./host.js";
import { buildProgram, findCalled, normalizeBooleans } from "./program.js";

/** Parses a command line and runs what it calls; returns the exit code. */
export async function runCommandLine(host: CliHost): Promise<number> {
  const exitCode = await runCommand(host);
  if (exitCode !== 0) await tellShell(host);
  return exitCode;
}

async function runCommand(host: CliHost): Promise<number> {
  try {
    let exitCode = 0;
    const argv = normalizeBooleans(host.argv);
    const program = await buildProgram({ ...host, argv }, async (entry, command, flags, args) => {
      // Loaded here, so that help and version don't wait for what only work needs.
      exitCode =
        "print" in command
          ? printOf(host, command)
          : await (await import("./execute.js")).execute(host, entry, command, flags, args);
    });
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { describeFailure, noSecrets } = await import("./output/failure.js");
    host.stderr(describeFailure(error, { color: host.colors, debug: false, secrets: noSecrets }));
    return isWerfError(error) ? error.exitCode : 1;
  }
}

/** A shell that evaluates our output must not go on as if nothing had happened. */
async function tellShell(host: CliHost): Promise<void> {
  const command = await findCalled(host.argv)?.load();
  if (command === undefined || "print" in command) return;
  const text = command.failureOutput?.(host.argv, host.env);
  if (text !== undefined && text !== "") host.stdout(text);
}

function printOf(host: CliHost, command: PlainCommand): number {
  host.stdout(`${command.print()}\n`);
  return 0;
}
