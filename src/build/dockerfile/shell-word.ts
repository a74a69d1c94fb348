/** A variable whose value is not known yet: its text stays as written. */
export const pending: unique symbol = Symbol("pending");
export type VariableValue = string | typeof pending | undefined;

export interface ShellWordOptions {
  /** The escape character of the file. */
  readonly escapeCharacter: string;
  /** `undefined`: not set. */
  lookup(name: string): VariableValue;
  /** `remove` (default): as a shell does; `keep`: understood, but left in the text; `ignore`: ordinary characters. */
  readonly quotes?: "remove" | "keep" | "ignore";
  /** Leaves escape characters in the text. Default false. */
  readonly keepEscapes?: boolean;
}

/** What is wrong with a word; the caller knows where it stands. */
export class ShellWordError extends Error {}

export interface Expansion<T> {
  readonly value: T;
  /** Names that were asked for and are pending, each once. */
  readonly pending: readonly string[];
}

/**
 * Expands one word as BuildKit does: `$x`, `${x}`, `${x:-y}`, `${x:+y}`, `${x:?message}` and the forms without the
 * colon, `${x#pattern}`, `${x%pattern}`, `${x/pattern/text}`, quotes and escapes.
 * https://docs.docker.com/reference/dockerfile/#environment-replacement
 * @throws ShellWordError
 */
export function expandWord(text: string, options: ShellWordOptions): Expansion<string> {
  const scanner = new Scanner(text, options);
  const value = scanner.readUntil(undefined);
  return { value, pending: [...scanner.pending] };
}

/** Expands, and splits at white space outside quotes; white space in a variable's value splits too. */
export function expandWords(text: string, options: ShellWordOptions): Expansion<readonly string[]> {
  const scanner = new Scanner(text, options);
  scanner.readUntil(undefined);
  return { value: scanner.words(), pending: [...scanner.pending] };
}

const space = /\s/;
const specialParameter = /[@*#?\-$!0]/;
const digit = /[0-9]/;
const nameCharacter = /[\p{L}\p{Nd}_]/u;

type Substitution = (value: string | undefined) => string;

class Scanner {
  readonly pending: Set<string> = new Set<string>();
  readonly #text: string;
  readonly #options: ShellWordOptions;
  readonly #words: string[] = [];
  #word: string | undefined;
  /** Words are collected at the outer level only; the operand of `${x:-operand}` is one text. */
  #depth = 0;
  #at = 0;

  constructor(text: string, options: ShellWordOptions) {
    this.#text = text;
    this.#options = options;
  }

  words(): string[] {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
    return this.#words;
  }

  /** Reads to the end, or past the closing character. */
  readUntil(stop: string | undefined, keepEscapes: boolean = this.#options.keepEscapes ?? false): string {
    let result = "";
    const { escapeCharacter, quotes } = this.#options;
    const emit = (text: string, splittable: boolean): void => {
      result += text;
      this.#collect(text, splittable);
    };
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at] ?? "";
      if (c === stop) {
        this.#at++;
        return result;
      }
      if (c === "'" && quotes !== "ignore") emit(this.#singleQuoted(), false);
      else if (c === '"' && quotes !== "ignore") emit(this.#doubleQuoted(), false);
      else if (c === "$") emit(this.#variable(), true);
      else if (c === escapeCharacter) {
        this.#at++;
        const escaped = this.#text[this.#at];
        if (escaped === undefined) break;
        this.#at++;
        emit(keepEscapes ? c + escaped : escaped, false);
      } else {
        this.#at++;
        emit(c, true);
      }
    }
    if (stop !== undefined) throw new ShellWordError(`"${stop}" is missing in "${this.#text}"`);
    return result;
  }

  #collect(text: string, splittable: boolean): void {
    if (this.#depth > 0) return;
    if (!splittable) {
      this.#word = (this.#word ?? "") + text;
      return;
    }
    for (const c of text) {
      if (!space.test(c)) this.#word = (this.#word ?? "") + c;
      else if (this.#word !== undefined) {
        this.#words.push(this.#word);
        this.#word = undefined;
      }
    }
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw new ShellWordError(`a closing single quote is missing in "${this.#text}"`);
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return this.#options.quotes === "keep" ? `'${inner}'` : inner;
  }

  /** Only the quote itself, `$` and the escape character can be escaped; before others the escape stays. */
  #doubleQuoted(): string {
    const { escapeCharacter, quotes, keepEscapes } = this.#options;
    const quote = quotes === "keep" ? '"' : "";
    let result = quote;
    this.#at++;
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at] ?? "";
      if (c === '"') {
        this.#at++;
        return result + quote;
      }
      if (c === "$") {
        result += this.#variable();
        continue;
      }
      this.#at++;
      const next = this.#text[this.#at];
      if (
        c === escapeCharacter &&
        next !== undefined &&
        (next === '"' || next === "$" || next === escapeCharacter)
      ) {
        this.#at++;
        result += keepEscapes ? c + next : next;
      } else result += c;
    }
    throw new ShellWordError(`a closing double quote is missing in "${this.#text}"`);
  }

  #variable(): string {
    const start = this.#at;
    this.#at++;
    if (this.#text[this.#at] !== "{") {
      const name = this.#name();
      if (name === "") return "$";
      const value = this.#lookup(name);
      return value === pending ? this.#text.slice(start, this.#at) : (value ?? "");
    }
    this.#at++;
    const name = this.#name();
    if (name === "") throw new ShellWordError(`bad substitution in "${this.#text}"`);
    this.#depth++;
    const result = this.#braced(name, start);
    this.#depth--;
    return result;
  }

  #braced(name: string, start: number): string {
    let operator = this.#text[this.#at++];
    if (operator === undefined) throw new ShellWordError(`"}" is missing in "${this.#text}"`);
    const value = this.#lookup(name);
    if (operator === "}") return this.#orAsWritten(value, start, (known) => known ?? "");
    const colon = operator === ":";
    if (colon) operator = this.#text[this.#at++] ?? "";
    const isSet = value !== undefined && !(colon && value === "");
    const use = this.#conditional(operator, name, isSet) ?? (colon ? undefined : this.#pattern(operator));
    if (use !== undefined) return this.#orAsWritten(value, start, use);
    throw new ShellWordError(
      `"${colon ? ":" : ""}${operator}" is not a known operator of \${${name}...} in "${this.#text}"`,
    );
  }

  #conditional(operator: string, name: string, isSet: boolean): Substitution | undefined {
    if (operator === "-") {
      const word = this.#operand(!isSet);
      return (value = "") => (isSet ? value : word);
    }
    if (operator === "+") {
      const word = this.#operand(isSet);
      return () => (isSet ? word : "");
    }
    if (operator !== "?") return undefined;
    const message = this.#operand(!isSet);
    if (!isSet) throw new ShellWordError(`${name}: ${message || "it must be set"}`);
    return (value = "") => value;
  }

  #pattern(operator: string): Substitution | undefined {
    if (operator === "#" || operator === "%") return this.#trimming(operator);
    return operator === "/" ? this.#replacing() : undefined;
  }

  /** What an operand that isn't used would ask for doesn't matter. */
  #operand(used: boolean): string {
    const before = [...this.pending];
    const word = this.readUntil("}");
    if (!used) {
      this.pending.clear();
      for (const name of before) this.pending.add(name);
    }
    return word;
  }

  #orAsWritten(value: VariableValue, start: number, use: Substitution): string {
    return value === pending ? this.#text.slice(start, this.#at) : use(value);
  }

  #trimming(operator: "#" | "%"): Substitution {
    const longest = this.#text[this.#at] === operator;
    if (longest) this.#at++;
    const whole = new RegExp(
      `^${patternSource(this.readUntil("}", true), this.#options.escapeCharacter)}$`,
      "s",
    );
    return (value = "") => {
      const lengths = Array.from({ length: value.length + 1 }, (_, i) => (longest ? value.length - i : i));
      for (const length of lengths) {
        const cut = operator === "#" ? value.slice(0, length) : value.slice(value.length - length);
        if (whole.test(cut))
          return operator === "#" ? value.slice(length) : value.slice(0, value.length - length);
      }
      return value;
    };
  }

  #replacing(): Substitution {
    const all = this.#text[this.#at] === "/";
    if (all) this.#at++;
    const pattern = patternSource(this.readUntil("/", true), this.#options.escapeCharacter);
    const replacement = this.readUntil("}", true);
    return (value = "") => value.replace(new RegExp(pattern, all ? "gs" : "s"), () => replacement);
  }

  /** Letters, digits and `_`; or digits alone; or one special parameter of the shell. */
  #name(): string {
    const first = this.#text[this.#at] ?? "";
    const start = this.#at;
    if (specialParameter.test(first) && first !== "0") {
      this.#at++;
      return first;
    }
    const accepted = digit.test(first) ? digit : nameCharacter;
    while (this.#at < this.#text.length && accepted.test(this.#text[this.#at] ?? "")) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #lookup(name: string): VariableValue {
    const value = this.#options.lookup(name);
    if (value === pending) this.pending.add(name);
    return value;
  }
}

/** A shell pattern (`*`, `?`, escapes) as the source of a regular expression. */
function patternSource(pattern: string, escapeCharacter: string): string {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] ?? "";
    if (c === "*") source += ".*";
    else if (c === "?") source += ".";
    else {
      const literal = c === escapeCharacter && i + 1 < pattern.length ? (pattern[++i] ?? "") : c;
      source += literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  }
  return source;
}
