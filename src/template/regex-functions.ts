import type { FuncMap } from "@promptctl/go-template-js";
import { compileRe2Search } from "../core/re2.js";

/** Sprig's functions on regular expressions, in Go's syntax; the library has them in JavaScript's. */
export const regexFunctions: FuncMap = {
  regexMatch: {
    argTypes: ["string", "string"],
    fn: (pattern: string, text: string) => compileRe2Search(pattern).test(text),
  },
  regexFind: {
    argTypes: ["string", "string"],
    fn: (pattern: string, text: string) => compileRe2Search(pattern).exec(text)?.[0] ?? "",
  },
  regexFindAll: {
    argTypes: ["string", "string", "int"],
    fn: (pattern: string, text: string, limit: number) => {
      const found = [...text.matchAll(compileRe2Search(pattern))].map(([match]) => match);
      return limit < 0 ? found : found.slice(0, limit);
    },
  },
  regexReplaceAll: {
    argTypes: ["string", "string", "string"],
    fn: (pattern: string, text: string, replacement: string) => {
      return text.replace(compileRe2Search(pattern), replacementOf(replacement));
    },
  },
  regexReplaceAllLiteral: {
    argTypes: ["string", "string", "string"],
    fn: (pattern: string, text: string, replacement: string) => {
      return text.replace(compileRe2Search(pattern), () => replacement);
    },
  },
  regexSplit: { argTypes: ["string", "string", "int"], fn: split },
  regexQuoteMeta: {
    argTypes: ["string"],
    fn: (text: string) => text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&"),
  },
};

/** `$1`, `${1}`, `$name`, `${name}` and `$$`; a group that isn't there is empty, as in Go. */
function replacementOf(template: string): (...match: readonly unknown[]) => string {
  return (...match) => {
    const named = match.at(-1);
    const groups = typeof named === "object" && named !== null ? (named as Record<string, unknown>) : {};
    const last = match.findIndex((part) => typeof part === "number");
    return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare?: string, braced?: string) => {
      const name = bare ?? braced;
      if (name === undefined) return whole.slice(1);
      const index = /^\d+$/.test(name) ? Number(name) : undefined;
      const value = index === undefined ? groups[name] : index < last ? match[index] : undefined;
      return typeof value === "string" ? value : "";
    });
  };
}

/** At most `limit` parts, the last of them unsplit; none when it is 0, all when it is negative. */
function split(pattern: string, text: string, limit: number): string[] {
  if (limit === 0) return [];
  const parts: string[] = [];
  let start = 0;
  for (const match of text.matchAll(compileRe2Search(pattern))) {
    if (limit > 0 && parts.length === limit - 1) break;
    const end = match.index + match[0].length;
    // Nothing before the first character, and nothing after the last, is no part.
    if (match[0] === "" && (match.index === 0 || match.index === text.length)) continue;
    parts.push(text.slice(start, match.index));
    start = end;
  }
  return [...parts, text.slice(start)];
}
