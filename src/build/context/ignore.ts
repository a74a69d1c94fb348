import dockerignore from "@balena/dockerignore";
import { messageOf, WerfError } from "../../core/errors.js";

/** Where Docker, BuildKit and Podman look for the rules, in this order; relative to the context. */
export function ignoreFileCandidates(dockerfile: string): readonly string[] {
  return [`${dockerfile}.dockerignore`, `${dockerfile}.containerignore`, ".dockerignore", ".containerignore"];
}

/**
 * The rules of an ignore file as a predicate on paths of the context.
 * @throws WerfError `build/dockerignore-invalid`
 */
export function ignoreRules(text: string, file: string): (path: string) => boolean {
  const rules = dockerignore.default({ ignorecase: false });
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  try {
    rules.add(lines.map(escapeLiterals));
    // Patterns are compiled when they are first asked.
    rules.ignores("a/b");
  } catch (cause) {
    throw new WerfError(
      "build/dockerignore-invalid",
      `${file} has a pattern that can't be read: ${messageOf(cause)}`,
      {
        hint: "patterns are those of Go's filepath.Match, with ** added; a literal [ is written \\[",
        cause,
      },
    );
  }
  return (path) => rules.ignores(path);
}

/** The library takes these for operators of a regular expression; in a pattern they are letters. */
function escapeLiterals(line: string): string {
  return line.replace(/\\.|[+(){}|]/gs, (text) => (text.length === 1 ? `\\${text}` : text));
}
