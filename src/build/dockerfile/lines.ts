import { WerfError } from "../../core/errors.js";
import { type Heredoc, readHeredocs } from "./heredoc.js";
import { syntaxError } from "./syntax-error.js";

/** One instruction: its lines joined, comments dropped, the bodies of its heredocs beside it. */
export interface LogicalLine {
  /** 1-based, of the first line. */
  readonly line: number;
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  /** The bodies of the heredocs with their terminators, as written; "" without heredocs. */
  readonly bodies: string;
}

/** A Dockerfile cut into instructions, and what its parser directives say. */
export interface DockerfileLines {
  readonly escapeCharacter: "\\" | "`";
  /** The frontend that `# syntax=` asks for. */
  readonly syntax?: string;
  readonly lines: readonly LogicalLine[];
}

const directive = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const knownDirectives = new Set(["syntax", "escape", "check"]);
const comment = /^\s*#/;
const blank = /^\s*$/;

/**
 * https://docs.docker.com/reference/dockerfile/#format
 * @throws WerfError `build/dockerfile-syntax`
 */
export function readLines(bytes: Uint8Array, file: string): DockerfileLines {
  const physical = decode(bytes, file).split(/\r?\n/);
  const directives = readDirectives(physical, file);
  const { escapeCharacter } = directives;
  const lines: LogicalLine[] = [];
  let at = 0;
  while (at < physical.length) {
    const first = (physical[at] ?? "").trimStart();
    const line = ++at;
    if (first === "" || comment.test(first)) continue;
    let [text, more] = continued(first, escapeCharacter);
    while (more && at < physical.length) {
      const next = physical[at++] ?? "";
      if (comment.test(next) || blank.test(next)) continue;
      const [part, goesOn] = continued(next, escapeCharacter);
      text += part;
      more = goesOn;
    }
    const bodies = readHeredocs(text, escapeCharacter, { file, line }, { physical, at });
    lines.push({
      line,
      text: text.trimEnd(),
      heredocs: bodies.heredocs,
      bodies: physical
        .slice(at, bodies.at)
        .map((l) => `${l}\n`)
        .join(""),
    });
    at = bodies.at;
  }
  return { ...directives, lines };
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new WerfError("build/dockerfile-syntax", `${file}:1: this is not UTF-8 text`, { cause });
  }
}

/** Directives stand at the top, before any comment, blank line or instruction. */
function readDirectives(
  physical: readonly string[],
  file: string,
): { readonly escapeCharacter: "\\" | "`"; readonly syntax?: string } {
  const found = new Map<string, string>();
  for (const [index, text] of physical.entries()) {
    const match = directive.exec(text);
    const name = match?.[1]?.toLowerCase();
    if (name === undefined || !knownDirectives.has(name)) break;
    const position = { file, line: index + 1 };
    if (found.has(name)) throw syntaxError(position, `the parser directive "${name}" may stand only once`);
    const value = match?.[2] ?? "";
    if (name === "escape" && value !== "\\" && value !== "`")
      throw syntaxError(position, `the escape character must be \\ or \`, not "${value}"`);
    found.set(name, value);
  }
  const syntax = found.get("syntax");
  return {
    escapeCharacter: found.get("escape") === "`" ? "`" : "\\",
    ...(syntax === undefined ? {} : { syntax }),
  };
}

/** The line without its continuation character, and whether there was one; two of them continue nothing. */
function continued(line: string, escapeCharacter: string): [text: string, more: boolean] {
  const end = line.replace(/[ \t]+$/, "");
  if (!end.endsWith(escapeCharacter) || end.endsWith(escapeCharacter + escapeCharacter)) return [line, false];
  return [end.slice(0, -1), true];
}
