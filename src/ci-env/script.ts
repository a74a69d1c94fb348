import { type Syntax, shownValue } from "./syntax/syntax.js";
import type { Environment } from "./system.js";
import { type CiSection, type CiVariable, force } from "./variable.js";

export interface ScriptOptions {
  readonly syntax: Syntax;
  /** Of the job, before the script. */
  readonly env: Environment;
  /** Whether the script shows what it sets. */
  readonly verbose: boolean;
}

/** The variables of a job as a script, or as a file of variables. @throws as `Syntax.assign` */
export function renderScript(sections: readonly CiSection[], options: ScriptOptions): string {
  const { syntax } = options;
  const paragraphs = sections.map(({ title, variables }) =>
    [syntax.comment(title), ...variables.flatMap((variable) => linesOf(variable, options))].join(
      syntax.lineEnd,
    ),
  );
  const text = paragraphs.map((paragraph) => `${paragraph}${syntax.lineEnd}`).join(syntax.lineEnd);
  const { unicodeLine } = syntax;
  return unicodeLine === undefined || /^\p{ASCII}*$/u.test(text)
    ? text
    : `${unicodeLine}${syntax.lineEnd}${text}`;
}

/** The private Docker configuration, for werf and for every other tool of the job. */
export function dockerConfigSection(directory: string): CiSection {
  return {
    title: "DOCKER CONFIG",
    variables: [force("DOCKER_CONFIG", directory), force("WERF_DOCKER_CONFIG", directory)],
  };
}

function linesOf(variable: CiVariable, { syntax, env, verbose }: ScriptOptions): string[] {
  const { name, value, mode, secret } = variable;
  const shown = (text: string): string => syntax.assign(name, secret === true ? "***" : shownValue(text));
  const current = env[name];
  if (mode === "soft" && current) return [syntax.comment(`skip ${shown(current)} (current)`)];
  if (value === "") return [syntax.comment(syntax.assign(name, ""))];
  const assignment = syntax.assign(name, value);
  return verbose && syntax.echo !== undefined ? [assignment, syntax.echo(shown(value))] : [assignment];
}
