import { WerfError } from "../../core/errors.js";

/** Whether one name, without a slash, matches. */
export type NamePattern = (name: string) => boolean;

/** Whether a part of a path has wildcards of Go's filepath.Match that aren't escaped. */
export function hasWildcard(part: string): boolean {
  return /[*?[]/.test(part.replace(/\\./gs, ""));
}

/** `\x` is the letter x. */
export function unescaped(part: string): string {
  return part.replace(/\\(.)/gs, "$1");
}

/** Where a pattern is written, for the message. */
interface Position {
  readonly file: string;
  readonly line: number;
}

/**
 * One part of a pattern between slashes, with the rules of Go's filepath.Match: `*` is any number of
 * characters, also none, `?` is one, `[a-z]` and `[^a-z]` are classes. `**` has no meaning of its own in COPY.
 * @throws WerfError `build/copy-pattern-invalid`
 */
export function namePattern(part: string, at?: Position): NamePattern {
  try {
    return compile(part);
  } catch (cause) {
    throw malformed(part, at, cause);
  }
}

function compile(part: string): NamePattern {
  let expression = "";
  let rest = part;
  while (rest !== "") {
    const [token, source] = nextToken(rest);
    expression += source;
    rest = rest.slice(token.length);
  }
  const compiled = new RegExp(`^${expression}$`, "su");
  return (name) => compiled.test(name);
}

/** What the pattern begins with, and its form in a regular expression. */
function nextToken(rest: string): readonly [token: string, source: string] {
  const stars = /^\*+/.exec(rest);
  if (stars !== null) return [stars[0], "[^/]*"];
  if (rest.startsWith("?")) return ["?", "[^/]"];
  if (rest.startsWith("[")) return classToken(rest);
  const [letter = ""] = /^(?:\\.|[^\\])/su.exec(rest) ?? [];
  if (letter === "") throw new SyntaxError(`at ${rest}`);
  return [letter, literal(unescaped(letter))];
}

function classToken(rest: string): readonly [string, string] {
  const token = /^\[(?:\^|(?!\^))(?:\\.|[^\\\]])+\]/su.exec(rest)?.[0];
  if (token === undefined) throw new SyntaxError(`at ${rest}`);
  const negated = token.startsWith("[^");
  const letters = token.slice(negated ? 2 : 1, -1).match(/\\.|[^\\]/gsu) ?? [];
  let members = "";
  for (let i = 0; i < letters.length; i++) {
    const [first = "", dash, last] = letters.slice(i, i + 3);
    if (first === "-") throw new SyntaxError(`at ${rest}`);
    members += literal(unescaped(first));
    if (dash !== "-") continue;
    if (last === undefined || last === "-") throw new SyntaxError(`at ${rest}`);
    members += `-${literal(unescaped(last))}`;
    i += 2;
  }
  return [token, `[${negated ? "^/" : ""}${members}]`];
}

function literal(letter: string): string {
  return `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`;
}

function malformed(part: string, at: Position | undefined, cause: unknown): WerfError {
  const where = at === undefined ? "" : `${at.file}:${at.line}: `;
  return new WerfError("build/copy-pattern-invalid", `${where}"${part}" is not a pattern`, {
    hint: "patterns are those of Go's filepath.Match: * ? [a-z] [^a-z]; write a literal [ as \\[ or [[]",
    cause,
  });
}
