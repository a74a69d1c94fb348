import { WerfError } from "../../core/errors.js";

interface Rule {
  readonly negated: boolean;
  readonly directoriesOnly: boolean;
  /** Only the last part of the path is compared. */
  readonly nameOnly: boolean;
  readonly pattern: RegExp;
}

/** Whether a file of a chart is left out, for its own path or for a directory above it. */
export type HelmIgnore = (path: string) => boolean;

/** Helm's own rule, after those of the file. */
const builtIn = "templates/.?*";

/**
 * Reads `.helmignore`: https://helm.sh/docs/chart_template_guide/helm_ignore_file/. Patterns are those of Go's
 * filepath.Match; the first rule that applies decides, and a negated one leaves out all that it doesn't match.
 * @throws WerfError `bundle/helmignore-invalid` for `**` and for patterns that aren't any
 */
export function parseHelmIgnore(text: string): HelmIgnore {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const rules = [...lines, builtIn].flatMap((line, i) => {
    const rule = line.trim();
    return rule === "" || rule.startsWith("#") ? [] : [parseRule(rule, i + 1)];
  });
  return (path) => {
    const parts = path.split("/");
    return parts.some((_, i) => isIgnored(rules, parts.slice(0, i + 1).join("/"), i < parts.length - 1));
  };
}

function isIgnored(rules: readonly Rule[], path: string, isDirectory: boolean): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  for (const rule of rules) {
    const matches = rule.pattern.test(rule.nameOnly ? name : path);
    if (rule.negated) {
      if ((rule.directoriesOnly && !isDirectory) || !matches) return true;
    } else if (matches && (isDirectory || !rule.directoriesOnly)) return true;
  }
  return false;
}

function parseRule(rule: string, line: number): Rule {
  if (rule.includes("**")) {
    throw invalid(rule, line, "Helm doesn't know **", "name the directory: `docs/` leaves out all of it");
  }
  const negated = rule.startsWith("!");
  const directoriesOnly = rule.endsWith("/");
  const body = rule.slice(negated ? 1 : 0, directoriesOnly ? -1 : undefined);
  const pattern = toRegExp(body.replace(/^\//, ""));
  if (pattern === undefined) throw invalid(rule, line, "it is no pattern", "write \\ before [ and before \\");
  return { negated, directoriesOnly, nameOnly: !body.includes("/"), pattern };
}

/** Go's filepath.Match: `*` and `?` within a part of the path, `[a-z]`, `[^a]` and `\x`. */
function toRegExp(glob: string): RegExp | undefined {
  let source = "";
  let rest = glob;
  while (rest !== "") {
    const token = /^(?:\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|\\(.)|([^[\\]))/su.exec(rest);
    if (token === null) return undefined;
    const [whole, negation, members, escaped, plain] = token;
    if (whole === "*") source += "[^/]*";
    else if (whole === "?") source += "[^/]";
    else if (members !== undefined) source += `(?!/)[${negation}${members.replace(/\[/g, "\\[")}]`;
    else source += (escaped ?? plain ?? "").replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");
    rest = rest.slice(whole.length);
  }
  try {
    return new RegExp(`^${source}$`, "su");
  } catch {
    return undefined;
  }
}

function invalid(rule: string, line: number, what: string, hint: string): WerfError {
  return new WerfError("bundle/helmignore-invalid", `.helmignore, line ${line}: "${rule}": ${what}`, {
    hint,
  });
}
