import { isWerfError, messageOf, WerfError } from "../core/errors.js";
import type { ExecOptions, ExecResult } from "../core/exec.js";
import type { RunContext } from "../core/run-context.js";

/** Runs git in one directory; a non-zero exit is a value. */
export type Git = (args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;

/**
 * What git answers must not depend on the machine: no translations, no replaced objects, no repository that a
 * surrounding hook points to; and it must neither write to the index nor ask on the terminal.
 */
const environment: Readonly<Record<string, string | undefined>> = {
  LC_ALL: "C",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_LITERAL_PATHSPECS: "1",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_INDEX_FILE: undefined,
  GIT_NAMESPACE: undefined,
  GIT_PREFIX: undefined,
};

/** @throws WerfError `git/missing` when the program isn't there */
export function gitIn(run: RunContext, directory: string): Git {
  const fixed = ["--no-pager", "-C", directory, "-c", "core.quotePath=false", "-c", "color.ui=never"];
  return async (args, options = {}) => {
    try {
      return await run.exec("git", [...fixed, ...args], {
        ...options,
        env: { ...environment, ...options.env },
      });
    } catch (cause) {
      if (!isWerfError(cause) || cause.code !== "core/exec-missing") throw cause;
      throw new WerfError("git/missing", `the program "git" is needed to read ${directory}`, {
        hint: "install git 2.30 or newer, or put it on PATH",
        cause,
      });
    }
  };
}

/** The error for a git command that failed; `doing` is what it was for, as in "cannot read HEAD". */
export function gitFailure(
  doing: string,
  result: ExecResult,
  hint?: string,
  redact: (text: string) => string = (text) => text,
): WerfError {
  const lines = redact(result.stderr).split("\n");
  const answer = lines
    .filter((line) => line.trim() !== "")
    .slice(-6)
    .join("\n  ");
  const advice = hint ?? adviceFor(answer);
  return new WerfError("git/failed", `${doing}: git ended with code ${result.exitCode}: ${answer}`, {
    ...(advice === undefined ? {} : { hint: advice }),
  });
}

function adviceFor(answer: string): string | undefined {
  if (answer.includes("dubious ownership")) {
    return "the repository belongs to another user: run the `git config --global --add safe.directory` command above";
  }
  if (/could not read (Username|Password)|Authentication failed|Permission denied/.test(answer)) {
    return "git has no credentials for this remote: configure a credential helper, a token or an SSH key";
  }
  if (
    /Could not resolve host|unable to access|Connection (refused|timed out)|not appear to be a git/.test(
      answer,
    )
  ) {
    return "check the address of the remote `origin` and the network";
  }
  return undefined;
}

/** Runs git and returns its stdout. @throws WerfError `git/failed` on a non-zero exit */
export async function gitOutput(
  git: Git,
  doing: string,
  args: readonly string[],
  options?: ExecOptions,
): Promise<Uint8Array> {
  const result = await git(args, options);
  if (result.exitCode !== 0) throw gitFailure(doing, result);
  return result.stdout;
}

/** Splits `-z` output. A path that isn't UTF-8 has no name that another machine would read the same way. */
export function splitNul(bytes: Uint8Array, doing: string): string[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new WerfError("git/path-encoding", `${doing}: a path is not UTF-8: ${messageOf(cause)}`, {
      hint: "rename the file; `git -c core.quotePath=true ls-files` shows such names with backslashes",
      cause,
    });
  }
  const fields = text.split("\0");
  fields.pop();
  return fields;
}
