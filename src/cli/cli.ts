import { commandTable } from "./commands/index.js";
import type { CliHost } from "./host.js";

/** Runs one command line. Returns the exit code: 0 done, 1 failed, 2 wrong command line, 130 interrupted. */
export async function runCli(host: CliHost): Promise<number> {
  const answer = await plainAnswer(host.argv);
  if (answer === undefined) return (await import("./command-line.js")).runCommandLine(host);
  host.stdout(`${answer}\n`);
  return 0;
}

/** What only tells something, and is called without anything else, needs no parser. */
async function plainAnswer(argv: readonly string[]): Promise<string | undefined> {
  const entry = commandTable.find(
    ({ path }) => path.length === argv.length && path.every((part, i) => part === argv[i]),
  );
  const command = await entry?.load();
  return command !== undefined && "print" in command ? command.print() : undefined;
}
