import pc from "picocolors";
import { isWerfError, messageOf } from "../../core/errors.js";
import type { Redactor } from "../../core/run-context.js";

/** Before a run there is nothing to hide. */
export const noSecrets: Redactor = { add: () => undefined, redact: (text) => text };

/** What a person reads when a command failed; with `debug` also the causes and where they were thrown. */
export function describeFailure(
  error: unknown,
  options: { color: boolean; debug: boolean; secrets: Redactor },
): string {
  const colors = pc.createColors(options.color);
  const lines = [colors.red(`Error: ${messageOf(error)}`)];
  if (isWerfError(error)) {
    if (error.hint !== undefined) lines.push(colors.dim(`  ${error.hint.replaceAll("\n", "\n  ")}`));
    if (options.debug) lines.push(colors.dim(`  code: ${error.code}`));
  } else if (!options.debug) {
    lines.push(colors.dim("  this is unexpected; --log-debug shows where it happened"));
  }
  if (options.debug) {
    for (let e: unknown = error; e instanceof Error; e = e.cause)
      lines.push(colors.dim(e.stack ?? e.message));
  }
  return `${options.secrets.redact(lines.join("\n"))}\n`;
}
