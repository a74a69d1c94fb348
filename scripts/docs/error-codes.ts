import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

interface ErrorSource {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** `docs/errors.md`: the codes of errors with what they say, read from the calls that make them. */
export function renderErrorCodes(root: string): string {
  const layers = new Set(readdirSync(join(root, "src")));
  const isCode = (text: string): boolean =>
    /^[a-z-]+\/[a-z0-9-]+$/.test(text) && layers.has(text.slice(0, text.indexOf("/"))) && !events.has(text);
  const errors = productFiles(join(root, "src"))
    .flatMap((file) => errorsOf(file))
    .filter(({ code }) => isCode(code));
  const codes = [...new Set(errors.map(({ code }) => code))].sort();
  const rows = codes.map((code) =>
    row(
      code,
      errors.filter((error) => error.code === code),
    ),
  );
  return [
    "# Error codes",
    "",
    "Made by `npm run docs` from the source; don't edit it.",
    "",
    "Every failure and every warning has a code that stays the same when its words change: `WerfError.code` and the `id` of a warning in the library, and of a failure the `code:` line of the message with `--log-debug`. The part before the slash names the layer. `…` stands for an address, a name or a number.",
    "",
    "| code | what it says | what to do |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

function row(code: string, found: readonly ErrorSource[]): string {
  const cell = (texts: readonly string[]): string =>
    [...new Set(texts.filter((text) => text !== "" && text !== "…"))].join("<br>").replaceAll("|", "\\|");
  return `| \`${code}\` | ${cell(found.map(({ message }) => message))} | ${cell(found.map(({ hint }) => hint))} |`;
}

function productFiles(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .sort()
    .map((name) => join(directory, name));
}

/** Events that have a code of the same form. */
const events: ReadonlySet<string> = new Set(["http/retry"]);

function errorsOf(file: string): ErrorSource[] {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const found: ErrorSource[] = [];
  const visit = (node: ts.Node): void => {
    const error = ts.isNewExpression(node) ? constructed(node) : described(node);
    if (error !== undefined) found.push(error);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `new WerfError("layer/what", message, { hint })` */
function constructed({ expression, arguments: given }: ts.NewExpression): ErrorSource | undefined {
  const [code, message, details] = given ?? [];
  if (expression.getText() !== "WerfError" || code === undefined) return undefined;
  if (!ts.isStringLiteralLike(code)) return undefined;
  const hint = details !== undefined && ts.isObjectLiteralExpression(details) ? details : undefined;
  return { code: code.text, message: textOf(message), hint: textOf(property(hint, "hint")) };
}

/**
 * `{ code: "layer/what", message, hint }`, as what stops a plan; a warning with its id; or a code alone, for which
 * the message is made elsewhere.
 */
function described(node: ts.Node): ErrorSource | undefined {
  if (ts.isStringLiteralLike(node)) return { code: node.text, message: "", hint: "" };
  if (!ts.isObjectLiteralExpression(node)) return undefined;
  const given = property(node, "id") ?? property(node, "code");
  const code = given !== undefined && ts.isAsExpression(given) ? given.expression : given;
  if (code === undefined || !ts.isStringLiteralLike(code)) return undefined;
  const message = property(node, "message") ?? property(node, "what");
  return { code: code.text, message: textOf(message), hint: textOf(property(node, "hint")) };
}

function property(object: ts.ObjectLiteralExpression | undefined, name: string): ts.Expression | undefined {
  const found = object?.properties.find((p) => ts.isPropertyAssignment(p) && p.name.getText() === name);
  return found !== undefined && ts.isPropertyAssignment(found) ? found.initializer : undefined;
}

/** A text with `…` for what is only known at run time. */
function textOf(node: ts.Expression | undefined): string {
  if (node === undefined) return "";
  if (ts.isStringLiteralLike(node)) return oneLine(node.text);
  if (!ts.isTemplateExpression(node)) return "…";
  return oneLine(node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join(""));
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
