import type { SourcePosition } from "./instruction.js";
import { expandWord, expandWords, ShellWordError, type ShellWordOptions } from "./shell-word.js";
import { syntaxError } from "./syntax-error.js";

/** `<<NAME`, `<<-NAME`, `<<"NAME"`, `3<<NAME`. https://docs.docker.com/reference/dockerfile/#here-documents */
export interface HeredocMark {
  readonly name: string;
  /** Unquoted delimiter. */
  readonly expand: boolean;
  /** `<<-`: leading tabs of the body go. */
  readonly chomp: boolean;
  /** "" when none is written. */
  readonly fileDescriptor: string;
}

export interface Heredoc extends HeredocMark {
  readonly content: string;
}

const mark = /^(\d*)<<(-?)([^<]+)$/;
const takesHeredocs = /^(?:onbuild\s+)*(?:add|copy|run)\b/i;

/** The heredoc that a word opens, if any. */
export function heredocMark(word: string, escapeCharacter: string): HeredocMark | undefined {
  const match = mark.exec(word);
  if (match === null) return undefined;
  const [, fileDescriptor = "", dash, rest = ""] = match;
  const none: ShellWordOptions = { escapeCharacter, lookup: () => undefined };
  try {
    const [name, ...others] = expandWords(rest, none).value;
    if (name === undefined || others.length > 0) return undefined;
    const expand = expandWord(rest, { ...none, quotes: "keep" }).value === name;
    return { name, expand, chomp: dash === "-", fileDescriptor };
  } catch (error) {
    if (error instanceof ShellWordError) return undefined;
    throw error;
  }
}

/** The words of a line as they are written, or none when its quotes don't match (a shell may still know better). */
function rawWords(text: string, escapeCharacter: string): readonly string[] {
  try {
    // Names stay as written: a variable can't open a heredoc.
    const options: ShellWordOptions = {
      escapeCharacter,
      lookup: () => "$",
      quotes: "keep",
      keepEscapes: true,
    };
    return expandWords(text, options).value;
  } catch (error) {
    if (error instanceof ShellWordError) return [];
    throw error;
  }
}

/**
 * Reads the bodies of the heredocs that an instruction opens; `at` is the index of the line after the last one.
 * @throws WerfError `build/dockerfile-syntax` when a body has no end
 */
export function readHeredocs(
  text: string,
  escapeCharacter: string,
  position: SourcePosition,
  from: { readonly physical: readonly string[]; readonly at: number },
): { readonly heredocs: readonly Heredoc[]; readonly at: number } {
  let at = from.at;
  if (!text.includes("<<") || !takesHeredocs.test(text) || isJsonForm(text)) return { heredocs: [], at };
  const heredocs: Heredoc[] = [];
  for (const word of rawWords(text, escapeCharacter)) {
    const opened = heredocMark(word, escapeCharacter);
    if (opened === undefined) continue;
    const body: string[] = [];
    for (;;) {
      const line = from.physical[at++];
      if (line === undefined)
        throw syntaxError(
          position,
          `the heredoc <<${opened.name} has no end: a line "${opened.name}" is missing`,
        );
      const shown = opened.chomp ? line.replace(/^\t+/, "") : line;
      if (shown === opened.name) break;
      body.push(`${shown}\n`);
    }
    heredocs.push({ ...opened, content: body.join("") });
  }
  return { heredocs, at };
}

function isJsonForm(text: string): boolean {
  const rest = text.replace(/^(?:onbuild\s+)*\S+\s+(?:--\S+\s+)*/i, "");
  if (!rest.startsWith("[")) return false;
  try {
    return Array.isArray(JSON.parse(rest));
  } catch {
    return false;
  }
}
