import { expect } from "vitest";
import { type CliResult, type CliSetting, werf } from "./cli.js";

export interface Refusal {
  /** Default 1; 2 for a mistake in the command line. */
  readonly exitCode?: 1 | 2;
  /** What the message, or its hint, has to name. */
  readonly says: readonly (string | RegExp)[];
  readonly stdout?: RegExp;
}

/** Waits last no time. */
export const impatientClock: NonNullable<CliSetting["clock"]> = {
  now: () => new Date(),
  sleep: async (_ms, signal) => signal?.throwIfAborted(),
};

/**
 * Runs a command line that has to fail as a person can use it: what went wrong, where, and what to do, in one
 * message at the end of stderr; nothing on stdout, no trace of a stack, and nothing that nobody thought of.
 */
export async function expectRefusal(
  argv: readonly string[],
  setting: CliSetting,
  { exitCode = 1, says, stdout = /^$/ }: Refusal,
): Promise<CliResult> {
  const result = await werf(argv, { clock: impatientClock, idleTimeoutMs: 150, ...setting });
  const { stderr } = result;
  expect(result.exitCode, stderr).toBe(exitCode);
  expect(result.stdout).toMatch(stdout);
  expect(stderr).not.toMatch(/^\s+at |this is unexpected|undefined|\[object |NaN/m);
  const message = /^Error: .+\n(?:.+\n)*$/m.exec(stderr)?.[0] ?? "";
  expect(stderr.endsWith(message), stderr).toBe(true);
  // A line and column, or the name of a flag, is where to look; anything else needs a hint.
  if (!/^Error: (?:\S+:\d+(?::\d+)?: |--[a-z]|unknown )/.test(message)) expect(message).toMatch(/\n {2}\S/);
  for (const text of says) {
    if (typeof text === "string") expect(message).toContain(text);
    else expect(message).toMatch(text);
  }
  return result;
}
