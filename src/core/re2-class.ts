import {
  type CodeRange,
  complement,
  escapedLiteral,
  membersOf,
  readEscape,
  regexpInvalid,
} from "./re2-escape.js";

const digits: CodeRange = [48, 57];
const upper: CodeRange = [65, 90];
const lower: CodeRange = [97, 122];
const named: Readonly<Record<string, readonly CodeRange[]>> = {
  alnum: [digits, upper, lower],
  alpha: [upper, lower],
  ascii: [[0, 127]],
  blank: [
    [9, 9],
    [32, 32],
  ],
  cntrl: [
    [0, 31],
    [127, 127],
  ],
  digit: [digits],
  graph: [[33, 126]],
  lower: [lower],
  print: [[32, 126]],
  punct: [
    [33, 47],
    [58, 64],
    [91, 96],
    [123, 126],
  ],
  space: [
    [9, 13],
    [32, 32],
  ],
  upper: [upper],
  word: [digits, upper, [95, 95], lower],
  xdigit: [digits, [65, 70], [97, 102]],
};

/** Reads the class that begins with the bracket at `at`. @throws WerfError `core/regexp-invalid` */
export function readClass(source: string, at: number): { readonly expression: string; readonly end: number } {
  const negated = source[at + 1] === "^";
  const first = at + (negated ? 2 : 1);
  let members = "";
  let position = first;
  // A bracket that comes first is a member.
  while (source[position] !== "]" || position === first) {
    if (position >= source.length) throw regexpInvalid(source, "a [ is not closed");
    const item = readItem(source, position);
    members += item.members;
    position = item.end;
  }
  return { expression: `[${negated ? "^" : ""}${members}]`, end: position + 1 };
}

interface Item {
  readonly members: string;
  readonly end: number;
}

function readItem(source: string, at: number): Item {
  const posix = /^\[:(\^?)([a-z]+):\]/.exec(source.slice(at));
  if (posix !== null) {
    const ranges = named[posix[2] ?? ""];
    if (ranges === undefined) throw regexpInvalid(source, `${posix[0]} is not known`);
    return { members: membersOf(posix[1] === "" ? ranges : complement(ranges)), end: at + posix[0].length };
  }
  const from = readMember(source, at);
  if (from.code === undefined) return from;
  const isRange = source[from.end] === "-" && source[from.end + 1] !== "]" && from.end + 1 < source.length;
  if (!isRange) return from;
  const to = readMember(source, from.end + 1);
  if (to.code === undefined || to.code < from.code) {
    throw regexpInvalid(source, `${source.slice(at, to.end)} is not a range of characters`);
  }
  return { members: `${from.members}-${to.members}`, end: to.end };
}

function readMember(source: string, at: number): Item & { readonly code?: number } {
  if (source[at] !== "\\") {
    const code = source.codePointAt(at) ?? 0;
    return { code, members: escapedLiteral(code), end: at + String.fromCodePoint(code).length };
  }
  const escaped = readEscape(source, at);
  if (escaped.kind === "character") {
    return { code: escaped.code, members: escapedLiteral(escaped.code), end: escaped.end };
  }
  if (escaped.kind === "members") return escaped;
  throw regexpInvalid(source, `${source.slice(at, escaped.end)} can't stand in a class`);
}
