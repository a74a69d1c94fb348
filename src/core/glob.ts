/**
 * A glob as an anchored expression, as Go's doublestar reads it: `*` and `?` stay within a segment of the path;
 * two stars that are a whole segment stand for any number of segments, none included; `[abc]`, `[^a-z]`,
 * `{one,two}` and `\x`. A bracket that isn't closed stands for itself.
 */
export function globToRegExp(glob: string): RegExp {
  return new RegExp(`^${translate(glob)}$`, "su");
}

export function isGlob(text: string): boolean {
  return /[*?[{\\]/.test(text);
}

function translate(glob: string): string {
  let out = "";
  let at = 0;
  while (at < glob.length) {
    const [expression, length] = next(glob, at);
    out += expression;
    at += length;
  }
  return out;
}

/** The expression for what stands at `at`, and how many characters of the glob it takes. */
function next(glob: string, at: number): readonly [string, number] {
  const rest = glob.slice(at);
  const special = stars(rest, at === 0 || glob[at - 1] === "/") ?? bracket(rest);
  if (special !== undefined) return special;
  if (rest[0] === "?") return ["[^/]", 1];
  const skipped = rest[0] === "\\" && rest.length > 1 ? 1 : 0;
  const character = String.fromCodePoint(rest.codePointAt(skipped) ?? 0);
  return [literal(character), skipped + character.length];
}

function stars(rest: string, startsSegment: boolean): readonly [string, number] | undefined {
  if (startsSegment && rest.startsWith("**/")) return ["(?:.*/)?", 3];
  if (rest === "/**") return ["(?:/.*)?", 3];
  if (startsSegment && rest === "**") return [".*", 2];
  const run = /^\*+/.exec(rest)?.[0].length;
  return run === undefined ? undefined : ["[^/]*", run];
}

function bracket(rest: string): readonly [string, number] | undefined {
  const set = /^\[([!^]?)([^\]]+)\]/.exec(rest);
  if (set !== null) return [characterSet(set[2] ?? "", set[1] !== ""), set[0].length];
  const alternatives = alternativesOf(rest);
  if (alternatives === undefined) return undefined;
  return [`(?:${alternatives.parts.map(translate).join("|")})`, alternatives.length];
}

function characterSet(members: string, negated: boolean): string {
  const inside = members.replace(/[\\\]^[]/g, "\\$&");
  return `(?!/)[${negated ? "^" : ""}${validRanges(inside)}]`;
}

/** A range that runs backwards is no range: its hyphen is a letter. */
function validRanges(inside: string): string {
  return inside.replace(/^-|-$/g, "\\-").replace(/([^\\])-([^\\])/gu, (range, from: string, to: string) => {
    return from <= to ? range : `${from}\\-${to}`;
  });
}

function alternativesOf(rest: string): { parts: string[]; length: number } | undefined {
  if (rest[0] !== "{") return undefined;
  const parts: string[] = [];
  let depth = 0;
  let start = 1;
  for (let i = 0; i < rest.length; i++) {
    const character = rest[i];
    if (character === "\\") i++;
    else if (character === "{") depth++;
    else if (character === "," && depth === 1) {
      parts.push(rest.slice(start, i));
      start = i + 1;
    } else if (character === "}" && --depth === 0) {
      parts.push(rest.slice(start, i));
      return { parts, length: i + 1 };
    }
  }
  return undefined;
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");
}
