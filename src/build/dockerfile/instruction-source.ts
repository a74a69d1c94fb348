import type { Heredoc } from "./heredoc.js";
import type { CommandForm, KeyValue, SourcePosition } from "./instruction.js";
import { syntaxError } from "./syntax-error.js";

/** An instruction cut into its parts, before its own rules are applied. */
export interface InstructionSource {
  readonly position: SourcePosition;
  /** Upper-case. */
  readonly keyword: string;
  readonly flags: readonly KeyValue[];
  /** What follows the keyword and the flags. */
  readonly rest: string;
  /** What follows the keyword. */
  readonly afterKeyword: string;
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  readonly bodies: string;
  readonly escapeCharacter: string;
}

export function noFlags(source: InstructionSource): InstructionSource {
  const [first] = source.flags;
  if (first !== undefined) throw syntaxError(source.position, `${source.keyword} has no flag --${first.key}`);
  return source;
}

/** The rest, which may not be empty. */
export function required(source: InstructionSource): string {
  if (source.rest === "") throw syntaxError(source.position, `${source.keyword} needs an argument`);
  return source.rest;
}

/** A JSON array of strings, or `undefined` when the text is no JSON array at all. */
export function jsonStrings(source: InstructionSource, text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item) => typeof item === "string"))
    throw syntaxError(source.position, `${source.keyword} in JSON form takes only strings: ${text}`);
  return value;
}

/** A JSON array or words between white space; at least one. */
export function listOrWords(source: InstructionSource): readonly string[] {
  const list = jsonStrings(source, required(source)) ?? source.rest.split(/\s+/);
  if (list.length === 0) throw syntaxError(source.position, `${source.keyword} needs an argument`);
  return list;
}

export function commandForm(source: InstructionSource): CommandForm {
  const argv = jsonStrings(source, source.rest);
  return argv === undefined ? { form: "shell", command: source.rest } : { form: "exec", argv };
}

/** Words between white space, where quotes and escapes hold a word together; all of them stay in the text. */
