import { didYouMean } from "../../core/suggest.js";
import type { KeyValue, ParsedInstruction, SourcePosition } from "./instruction.js";
import { instructionNames, parseFacts } from "./instruction-parsers.js";
import type { InstructionSource } from "./instruction-source.js";
import { type DockerfileLines, type LogicalLine, readLines } from "./lines.js";
import { syntaxError } from "./syntax-error.js";

/** What stands between a FROM and the next. */
export interface ParsedStage {
  /** Lower-case, of `AS name`. */
  readonly name?: string;
  readonly position: SourcePosition;
  /** As written; variables of the global scope are not expanded. */
  readonly base: string;
  readonly platform?: string;
  readonly instructions: readonly ParsedInstruction[];
}

/** A Dockerfile, parsed: nothing is expanded or resolved. */
export interface Dockerfile {
  readonly file: string;
  readonly escapeCharacter: "\\" | "`";
  /** The frontend that `# syntax=` asks for. */
  readonly syntax?: string;
  /** The ARGs before the first FROM. */
  readonly globalArgs: readonly Extract<ParsedInstruction, { kind: "arg" }>[];
  readonly stages: readonly ParsedStage[];
}

/**
 * Reads a Dockerfile as BuildKit's frontend does; `file` is named in errors.
 * https://docs.docker.com/reference/dockerfile/
 * @throws WerfError `build/dockerfile-syntax`: `file:line: message`
 */
export function parseDockerfile(bytes: Uint8Array, file: string): Dockerfile {
  const source = readLines(bytes, file);
  const globalArgs: Extract<ParsedInstruction, { kind: "arg" }>[] = [];
  const stages: (ParsedStage & { readonly instructions: ParsedInstruction[] })[] = [];
  for (const line of source.lines) {
    const head = split(line, source, file);
    if (head.keyword === "FROM") {
      stages.push({ ...parseFrom(head), instructions: [] });
      continue;
    }
    const instruction = instructionOf(head);
    const stage = stages.at(-1);
    if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globalArgs.push(instruction);
    else throw syntaxError(head.position, `${head.keyword} before the first FROM; only ARG may stand there`);
  }
  if (stages.length === 0)
    throw syntaxError(
      { file, line: 1 },
      "there is no FROM",
      "a Dockerfile needs at least one stage: FROM image",
    );
  return {
    file,
    escapeCharacter: source.escapeCharacter,
    ...(source.syntax === undefined ? {} : { syntax: source.syntax }),
    globalArgs,
    stages,
  };
}

/**
 * Parses the text of an ONBUILD trigger, which may hold heredocs.
 * @throws WerfError `build/dockerfile-syntax`
 */
export function parseTrigger(
  trigger: string,
  position: SourcePosition,
  escapeCharacter: "\\" | "`" = "\\",
): ParsedInstruction {
  const directive = escapeCharacter === "`" ? "# escape=`\n" : "";
  const source = readLines(new TextEncoder().encode(directive + trigger), position.file);
  const [line, ...others] = source.lines;
  if (line === undefined || others.length > 0)
    throw syntaxError(position, `the trigger "${trigger}" is not one instruction`);
  return { ...instructionOf({ ...split(line, source, position.file), position }), position };
}

function instructionOf(source: InstructionSource): ParsedInstruction {
  return { position: source.position, text: source.text, ...parseFacts(source) };
}

const flag = /^--[^\s=]+(?:=(?:"[^"]*"|'[^']*'|[^\s"'])*)?(?=\s|$)/;
const quotes = /"([^"]*)"|'([^']*)'/g;

/** Keyword, flags and the rest of an instruction. */
function split(line: LogicalLine, { escapeCharacter }: DockerfileLines, file: string): InstructionSource {
  const position = { file, line: line.line };
  const [, word = "", afterWord = ""] = /^(\S+)\s*(.*)$/s.exec(line.text) ?? [];
  const keyword = word.toUpperCase();
  if (!instructionNames.has(keyword)) {
    throw syntaxError(
      position,
      `"${word}" is not an instruction${didYouMean(keyword, instructionNames)}`,
      `the instructions are ${[...instructionNames].join(", ")}`,
    );
  }
  let rest = afterWord.trim();
  const flags: KeyValue[] = [];
  for (let match = flag.exec(rest); match !== null; match = flag.exec(rest)) {
    const [text] = match;
    const equals = text.indexOf("=");
    flags.push({
      key: equals < 0 ? text.slice(2) : text.slice(2, equals),
      value: equals < 0 ? "" : text.slice(equals + 1).replace(quotes, "$1$2"),
    });
    rest = rest.slice(text.length).trimStart();
  }
  if (/^--(?=\s|$)/.test(rest)) rest = rest.slice(2).trimStart();
  return {
    position,
    keyword,
    flags,
    rest,
    text: line.text,
    afterKeyword: afterWord.trim(),
    heredocs: line.heredocs,
    bodies: line.bodies,
    escapeCharacter,
  };
}

const stageName = /^[a-z][a-z0-9-_.]*$/;

function parseFrom(source: InstructionSource): Omit<ParsedStage, "instructions"> {
  const { position, flags, rest } = source;
  let platform: string | undefined;
  for (const { key, value } of flags) {
    if (key !== "platform") throw syntaxError(position, `FROM has no flag --${key}; there is --platform`);
    platform = value;
  }
  const [base, as, alias, ...others] = rest.split(/\s+/);
  const hasAlias = as !== undefined && as.toUpperCase() === "AS" && alias !== undefined;
  if (base === undefined || base === "" || others.length > 0 || (as !== undefined && !hasAlias))
    throw syntaxError(position, `FROM is written "FROM image" or "FROM image AS name", not "${source.text}"`);
  const name = alias?.toLowerCase();
  if (name !== undefined && !stageName.test(name)) {
    throw syntaxError(
      position,
      `"${alias}" can't name a stage`,
      "a stage's name begins with a letter and holds letters, digits, dots, hyphens and underscores",
    );
  }
  return {
    position,
    base,
    ...(name === undefined ? {} : { name }),
    ...(platform === undefined ? {} : { platform }),
  };
}
