/**
 * The library has no methods with arguments, and doesn't rebind `$` in `template`. Both become function calls
 * before it parses: `.Files.Get "x"` is `Files__Get "x"`, `template "x" .` is `include "x" .`. Replacements are
 * as long as what they replace, so that positions in messages stay right.
 */
export function rewriteActions(text: string, methods: readonly string[]): string {
  const calls = methods.length === 0 ? undefined : methodPattern(methods);
  let out = "";
  let at = 0;
  for (let open = text.indexOf("{{"); open >= 0; open = text.indexOf("{{", at)) {
    const pieces = piecesOf(text, open + 2);
    out += text.slice(at, open + 2) + rewriteAction(pieces, calls);
    at = pieces.at(-1)?.end ?? open + 2;
  }
  return out + text.slice(at);
}

/** The name of the function that stands for a method: `Files.Get` is `Files__Get`. */
export function methodFunction(method: string): string {
  return method.replace(".", "__");
}

interface Piece {
  readonly kind: "code" | "quoted" | "comment";
  readonly text: string;
  readonly end: number;
}

const piece = /"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\}\}|[^"`'/}]+|[\s\S]/y;

/** What stands between `from` and the `}}` that ends the action, or the end of the text. */
function piecesOf(text: string, from: number): Piece[] {
  const pieces: Piece[] = [];
  piece.lastIndex = from;
  for (let match = piece.exec(text); match !== null && match[0] !== "}}"; match = piece.exec(text)) {
    const [found] = match;
    const quoted = found.length > 1 && /^["`']/.test(found);
    const kind = quoted ? "quoted" : found.startsWith("/*") ? "comment" : "code";
    pieces.push({ kind, text: found, end: piece.lastIndex });
  }
  return pieces;
}

function rewriteAction(pieces: readonly Piece[], calls: RegExp | undefined): string {
  const texts = pieces.map(({ kind, text }) =>
    kind === "code" && calls !== undefined ? callMethods(text, calls) : text,
  );
  const isTemplate = /^-?\s*template\s*$/.test(pieces[0]?.text ?? "") && pieces[1]?.kind === "quoted";
  if (!isTemplate) return texts.join("");
  const [keyword = "", name = "", ...data] = texts;
  const include = keyword.replace("template", "include ");
  const piped = pieces.slice(2).some(({ kind, text }) => kind === "code" && text.includes("|"));
  if (!piped) return [include, name, ...data].join("");
  const trim = /\s-$/.exec(data.at(-1) ?? "")?.[0] ?? "";
  const pipeline = data.join("");
  return `${include}${name} (${pipeline.slice(0, pipeline.length - trim.length)})${trim}`;
}

function methodPattern(methods: readonly string[]): RegExp {
  const names = methods.map((method) => method.replace(".", "\\.")).join("|");
  return new RegExp(`(?<![\\w)])(\\$\\w*)?((?:\\.\\w+)*?)\\.(${names})\\b(?!\\.)`, "g");
}

function callMethods(code: string, calls: RegExp): string {
  return code.replace(calls, (_whole, variable: string | undefined, fields: string, method: string) => {
    return " ".repeat((variable?.length ?? 0) + fields.length) + methodFunction(method);
  });
}
