import type { WerfError } from "./errors.js";
import { readClass } from "./re2-class.js";
import { escapedLiteral, readEscape, regexpInvalid } from "./re2-escape.js";

/**
 * The same language as a Go (RE2) expression, as a JavaScript one that matches whole texts only. Go's syntax is
 * translated piece by piece, because a piece that both know can mean different things (`.`, `$`, `\s`). What
 * JavaScript can't say is refused: case-insensitive parts in the middle, `\C`, ungreedy mode; and so is what
 * RE2 doesn't know: look-around, back-references, possessive quantifiers.
 * @see https://github.com/google/re2/wiki/Syntax
 * @throws WerfError `core/regexp-invalid`
 */
export function compileRe2(source: string): RegExp {
  return compile(source, (body) => `^(?:${body})$`, "");
}

/** The same, but matches anywhere in a text, all of its matches in turn, and keeps its groups. @throws as above */
export function compileRe2Search(source: string): RegExp {
  return compile(source, (body) => body, "g");
}

function compile(source: string, frame: (body: string) => string, flags: string): RegExp {
  const { body, ignoreCase } = new Translator(source).translate();
  try {
    return new RegExp(frame(body), `${flags}${ignoreCase ? "i" : ""}u`);
  } catch (cause) {
    throw regexpInvalid(source, (cause as Error).message.replace(/^Invalid regular expression: .*: /, ""));
  }
}

const maxRepeat = 1000;

interface Modes {
  /** `(?s)`: a dot also matches a line's end. */
  readonly dotAll: boolean;
  /** `(?m)`: `^` and `$` also match at lines' ends. */
  readonly multiline: boolean;
}

class Translator {
  readonly #source: string;
  #at = 0;
  #ignoreCase = false;
  #modes: Modes = { dotAll: false, multiline: false };

  constructor(source: string) {
    this.#source = unquoted(source);
  }

  translate(): { body: string; ignoreCase: boolean } {
    this.#leadingFlags();
    const body = this.#alternatives(0);
    if (this.#at < this.#source.length) throw regexpInvalid(this.#source, "a ) has no (");
    return { body, ignoreCase: this.#ignoreCase };
  }

  /** `(?i)` is a flag of the whole expression in JavaScript, so it can only stand first. */
  #leadingFlags(): void {
    const match = /^\(\?([a-zA-Z]+)\)/.exec(this.#source);
    if (match === null) return;
    this.#at = match[0].length;
    this.#ignoreCase = match[1]?.includes("i") ?? false;
    this.#apply((match[1] ?? "").replaceAll("i", ""), "");
  }

  #apply(on: string, off: string): void {
    const unknown = /[^sm]/.exec(on + off)?.[0];
    if (unknown === "i") throw regexpInvalid(this.#source, "(?i) can only stand at the very beginning");
    if (unknown !== undefined) throw regexpInvalid(this.#source, `the flag "${unknown}" is not supported`);
    const has = (flag: string, before: boolean): boolean =>
      off.includes(flag) ? false : on.includes(flag) || before;
    this.#modes = { dotAll: has("s", this.#modes.dotAll), multiline: has("m", this.#modes.multiline) };
  }

  #alternatives(depth: number): string {
    if (depth > 100) throw regexpInvalid(this.#source, "its groups are nested deeper than 100");
    const outer = this.#modes;
    let out = "";
    for (let character = this.#peek(); character !== "" && character !== ")"; character = this.#peek()) {
      if (character === "|") {
        this.#at++;
        out += "|";
      } else out += this.#repeated(depth);
    }
    this.#modes = outer;
    return out;
  }

  #repeated(depth: number): string {
    const atom = this.#atom(depth);
    const quantifier = /^(?:[*+?]|\{(\d+)(?:,(\d*))?\})/.exec(this.#rest());
    if (quantifier === null) return atom;
    const largest = Math.max(Number(quantifier[1] ?? 0), Number(quantifier[2] ?? 0));
    if (largest > maxRepeat) throw regexpInvalid(this.#source, `it repeats more than ${maxRepeat} times`);
    this.#at += quantifier[0].length;
    const lazy = this.#peek() === "?" ? "?" : "";
    this.#at += lazy.length;
    const again = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.#rest());
    if (again !== null)
      throw regexpInvalid(this.#source, `${quantifier[0]}${lazy}${again[0]} repeats a repetition`);
    return `${repeatable(atom)}${quantifier[0]}${lazy}`;
  }

  #atom(depth: number): string {
    const character = this.#peek();
    if (character === "(") return this.#group(depth);
    if (character === "[") {
      const { expression, end } = readClass(this.#source, this.#at);
      this.#at = end;
      return expression;
    }
    if (character === "\\") {
      const escaped = readEscape(this.#source, this.#at);
      this.#at = escaped.end;
      if (escaped.kind === "assertion") return escaped.expression;
      return escaped.kind === "character" ? escapedLiteral(escaped.code) : `[${escaped.members}]`;
    }
    if (character === "*" || character === "+" || character === "?") {
      throw regexpInvalid(this.#source, `there is nothing before ${character} that it could repeat`);
    }
    this.#at += character.length;
    if (character === ".") return this.#modes.dotAll ? "[\\s\\S]" : "[^\\n]";
    if (character === "^") return this.#modes.multiline ? "(?<![^\\n])" : "(?<![\\s\\S])";
    if (character === "$") return this.#modes.multiline ? "(?![^\\n])" : "(?![\\s\\S])";
    return escapedLiteral(character);
  }

  #group(depth: number): string {
    const opening = /^\((?:\?(?:(:)|P?<([A-Za-z0-9_]+)>|([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])))?/.exec(
      this.#rest(),
    );
    if (opening === null || this.#rest().startsWith("(?") === (opening[0] === "(")) throw this.#badGroup();
    this.#at += opening[0].length;
    const outer = this.#modes;
    if (opening[5] !== undefined) this.#apply(opening[3] ?? "", opening[4] ?? "");
    // `(?s)` in the middle holds until the group around it ends.
    if (opening[5] === ")") return "";
    const body = this.#alternatives(depth + 1);
    this.#modes = outer;
    if (this.#peek() !== ")") throw regexpInvalid(this.#source, "a ( is not closed");
    this.#at++;
    const name = opening[2] === undefined ? "" : `?<${opening[2]}>`;
    return opening[0] === "(" || name !== "" ? `(${name}${body})` : `(?:${body})`;
  }

  #badGroup(): WerfError {
    const what = /^\(\?(?:<?[=!])/.test(this.#rest())
      ? "look-around"
      : `the group ${this.#rest().slice(0, 6)}`;
    return regexpInvalid(this.#source, `Go's expressions have no ${what}`);
  }

  #peek(): string {
    const code = this.#source.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #rest(): string {
    return this.#source.slice(this.#at);
  }
}

/** `\Q…\E` as single escaped characters. */
function unquoted(source: string): string {
  return source.replace(/\\Q([\s\S]*?)(?:\\E|$)|\\[\s\S]/g, (whole: string, quoted: string | undefined) =>
    quoted === undefined ? whole : quoted.replace(/[!-/:-@[-`{-~]/g, "\\$&"),
  );
}

/** JavaScript doesn't repeat assertions. */
function repeatable(atom: string): string {
  const assertion = atom.startsWith("(?<!") || atom.startsWith("(?!") || /^\\[bB]$/.test(atom);
  return assertion || atom === "" ? `(?:${atom})` : atom;
}
