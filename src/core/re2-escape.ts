import { WerfError } from "./errors.js";

/** What an escape stands for: one character (a code point), members of a class, or a place between characters. */
export type Escape = { readonly end: number } & (
  | { readonly kind: "character"; readonly code: number }
  | { readonly kind: "members"; readonly members: string }
  | { readonly kind: "assertion"; readonly expression: string }
);

export type CodeRange = readonly [from: number, to: number];

const lastCodePoint = 0x10ffff;
const whiteSpace: readonly CodeRange[] = [
  [9, 10],
  [12, 13],
  [32, 32],
];
const members: Readonly<Record<string, string>> = {
  d: "\\d",
  D: "\\D",
  w: "\\w",
  W: "\\W",
  // JavaScript's \s knows more spaces than Go's.
  s: membersOf(whiteSpace),
  S: membersOf(complement(whiteSpace)),
};
const assertions: Readonly<Record<string, string>> = {
  A: "(?<![\\s\\S])",
  z: "(?![\\s\\S])",
  b: "\\b",
  B: "\\B",
};
const controls: Readonly<Record<string, number>> = { a: 7, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Reads the escape that begins with the backslash at `at`. @throws WerfError `core/regexp-invalid` */
export function readEscape(source: string, at: number): Escape {
  const rest = source.slice(at + 1);
  const letter = rest[0] ?? "";
  const known = members[letter];
  if (known !== undefined) return { kind: "members", members: known, end: at + 2 };
  const assertion = assertions[letter];
  if (assertion !== undefined) return { kind: "assertion", expression: assertion, end: at + 2 };
  const control = controls[letter];
  if (control !== undefined) return { kind: "character", code: control, end: at + 2 };
  if (letter === "p" || letter === "P") return unicodeProperty(source, at, rest);
  const numbered = /^(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2}))/.exec(rest);
  if (numbered !== null) {
    const [whole, braced, hex, octal] = numbered;
    const code = octal === undefined ? Number.parseInt(braced ?? hex ?? "", 16) : Number.parseInt(octal, 8);
    if (code > lastCodePoint) throw regexpInvalid(source, `\\${whole} is no character`);
    return { kind: "character", code, end: at + 1 + whole.length };
  }
  if (/^[!-/:-@[-`{-~ ]/.test(rest)) return { kind: "character", code: rest.charCodeAt(0), end: at + 2 };
  if (/^[1-9k]/.test(rest)) throw regexpInvalid(source, "Go's expressions have no back-references");
  throw regexpInvalid(
    source,
    letter === "" ? "it ends with a backslash" : `the escape \\${letter} is not known`,
  );
}

function unicodeProperty(source: string, at: number, rest: string): Escape {
  const match = /^[pP](?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/.exec(rest);
  const name = match?.[2] ?? match?.[3] ?? "";
  const letter = (rest[0] === "P") !== (match?.[1] === "^") ? "P" : "p";
  for (const property of [name, `Script=${name}`]) {
    if (name !== "" && isProperty(property)) {
      const end = at + 1 + (match?.[0].length ?? 0);
      return { kind: "members", members: `\\${letter}{${property}}`, end };
    }
  }
  throw regexpInvalid(source, `\\${match?.[0] ?? rest.slice(0, 10)} names no class of Unicode`);
}

function isProperty(property: string): boolean {
  try {
    return new RegExp(`\\p{${property}}`, "u").unicode;
  } catch {
    return false;
  }
}

/** A character that stands for itself, inside a class as well as outside. */
export function escapedLiteral(character: string | number): string {
  const code = typeof character === "number" ? character : (character.codePointAt(0) ?? 0);
  return /^[A-Za-z0-9]$/.test(String.fromCodePoint(code))
    ? String.fromCodePoint(code)
    : `\\u{${code.toString(16)}}`;
}

export function membersOf(ranges: readonly CodeRange[]): string {
  return ranges.map(([from, to]) => `${escapedLiteral(from)}-${escapedLiteral(to)}`).join("");
}

/** All other characters; `ranges` are sorted and don't touch. */
export function complement(ranges: readonly CodeRange[]): CodeRange[] {
  const result: CodeRange[] = [];
  let from = 0;
  for (const [first, last] of ranges) {
    if (first > from) result.push([from, first - 1]);
    from = last + 1;
  }
  return [...result, [from, lastCodePoint]];
}

export function regexpInvalid(source: string, reason: string): WerfError {
  return new WerfError("core/regexp-invalid", `/${source.slice(0, 200)}/ can't be used: ${reason}`, {
    hint: "write it in the syntax of Go's regexp package (RE2)",
  });
}
