import { CommanderError } from "commander";
import { isWerfError } from "../core/errors.js";
import type { PlainCommand } from "./commands/command.js";
import type { CliHost } from "./host.js";
import { buildProgram, normalizeBooleans } from "./program.js";

/** Runs one command line. Returns the exit code: 0 done, 1 failed, 2 wrong command line, 130 interrupted. */
export async function runCli(host: CliHost): Promise<number> {
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

function printOf(host: CliHost, command: PlainCommand): number {
  host.stdout(`${command.print()}\n`);
  return 0;
}
