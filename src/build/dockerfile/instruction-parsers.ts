import { parseAddOrCopy } from "./copy-parser.js";
import { parseHealthcheck } from "./healthcheck-parser.js";
import type { HeredocFile, InstructionFacts, KeyValue, RunMount } from "./instruction.js";
import {
  commandForm,
  type InstructionSource,
  jsonStrings,
  listOrWords,
  noFlags,
  required,
} from "./instruction-source.js";
import { syntaxError } from "./syntax-error.js";

export type ParsedFacts = InstructionFacts<string>;
type Parser = (source: InstructionSource) => ParsedFacts;

const parsers: Readonly<Record<string, Parser>> = {
  ADD: (s) => ({ kind: "add", ...parseAddOrCopy(s) }),
  ARG: parseArg,
  CMD: (s) => ({ kind: "cmd", ...commandForm(noFlags(s)) }),
  COPY: (s) => ({ kind: "copy", ...parseAddOrCopy(s) }),
  ENTRYPOINT: (s) => ({ kind: "entrypoint", ...commandForm(noFlags(s)) }),
  ENV: (s) => ({ kind: "env", pairs: pairs(noFlags(s)) }),
  EXPOSE: (s) => ({ kind: "expose", ports: required(noFlags(s)).split(/\s+/) }),
  HEALTHCHECK: (s) => ({ kind: "healthcheck", ...parseHealthcheck(s) }),
  LABEL: (s) => ({ kind: "label", pairs: pairs(noFlags(s)) }),
  MAINTAINER: (s) => ({ kind: "maintainer", author: required(noFlags(s)) }),
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: (s) => ({ kind: "stopsignal", signal: required(noFlags(s)) }),
  USER: (s) => ({ kind: "user", user: required(noFlags(s)) }),
  VOLUME: (s) => ({ kind: "volume", paths: listOrWords(noFlags(s)) }),
  WORKDIR: (s) => ({ kind: "workdir", path: required(noFlags(s)) }),
};

/** All keywords, FROM included. */
export const instructionNames: ReadonlySet<string> = new Set(["FROM", ...Object.keys(parsers)]);

/** Applies the rules of the instruction's kind. @throws WerfError `build/dockerfile-syntax` */
export function parseFacts(source: InstructionSource): ParsedFacts {
  const parser = parsers[source.keyword];
  if (parser === undefined) throw syntaxError(source.position, `${source.keyword} can't stand here`);
  return parser(source);
}

function quotedWords(text: string, escapeCharacter: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    if (quote === undefined && /\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word = (word ?? "") + c;
    if (c === escapeCharacter && quote !== "'") {
      i++;
      word += text[i] ?? "";
    } else if (quote === undefined && (c === "'" || c === '"')) quote = c;
    else if (c === quote) quote = undefined;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** `key=value ...`, or the old `key value with spaces`. */
function pairs(source: InstructionSource): KeyValue[] {
  const { position, keyword, escapeCharacter } = source;
  const words = quotedWords(required(source), escapeCharacter);
  const [first = ""] = words;
  if (!first.includes("=")) {
    const value = source.rest.slice(first.length).trim();
    if (value === "")
      throw syntaxError(position, `${keyword} ${first} has no value; write ${keyword} ${first}=value`);
    return [{ key: first, value }];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) throw syntaxError(position, `"${word}" in ${keyword} is not of the form name=value`);
    if (equals === 0) throw syntaxError(position, `a name is missing before "${word}" in ${keyword}`);
    return { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function parseArg(source: InstructionSource): ParsedFacts {
  const words = quotedWords(required(noFlags(source)), source.escapeCharacter);
  return {
    kind: "arg",
    args: words.map((word) => {
      const equals = word.indexOf("=");
      if (equals === 0) throw syntaxError(source.position, `a name is missing before "${word}" in ARG`);
      return equals < 0 ? { name: word } : { name: word.slice(0, equals), value: word.slice(equals + 1) };
    }),
  };
}

function parseShell(source: InstructionSource): ParsedFacts {
  const argv = jsonStrings(source, required(noFlags(source)));
  if (argv === undefined || argv.length === 0)
    throw syntaxError(source.position, 'SHELL takes a JSON array: SHELL ["executable", "parameter"]');
  return { kind: "shell", argv };
}

function parseOnbuild(source: InstructionSource): ParsedFacts {
  const trigger = noFlags({ ...source, rest: source.afterKeyword }).rest;
  const [word = ""] = required({ ...source, rest: trigger }).split(/\s+/);
  const keyword = word.toUpperCase();
  if (keyword === "ONBUILD" || keyword === "FROM" || keyword === "MAINTAINER")
    throw syntaxError(source.position, `ONBUILD can't trigger ${keyword}`);
  if (!instructionNames.has(keyword))
    throw syntaxError(source.position, `ONBUILD needs an instruction, "${word}" is none`);
  return { kind: "onbuild", trigger: source.bodies === "" ? trigger : `${trigger}\n${source.bodies}` };
}

const runFlags = new Set(["mount", "network", "security", "device"]);

function parseRun(source: InstructionSource): ParsedFacts {
  const mounts: RunMount<string>[] = [];
  const options: KeyValue[] = [];
  for (const option of source.flags) {
    if (!runFlags.has(option.key))
      throw syntaxError(
        source.position,
        `RUN has no flag --${option.key}; there are --${[...runFlags].join(", --")}`,
      );
    if (option.key === "mount") mounts.push(parseMount(option.value, source));
    else options.push(option);
  }
  required(source);
  const heredocs: HeredocFile[] = source.heredocs.map(({ name, content, expand }) => ({
    name,
    content,
    expand,
  }));
  return { kind: "run", ...commandForm(source), heredocs, mounts, options };
}

const mountTypes = new Set(["bind", "cache", "tmpfs", "secret", "ssh"]);

/** `type=bind,from=stage,target=/x`; the type is bind unless it says otherwise. */
function parseMount(text: string, { position }: InstructionSource): RunMount<string> {
  let type = "bind";
  let from: string | undefined;
  const options: KeyValue[] = [];
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? "" : field.slice(equals + 1);
    if (key === "type") type = value.toLowerCase();
    else if (key === "from") from = value;
    else options.push({ key, value });
  }
  if (!mountTypes.has(type))
    throw syntaxError(position, `--mount has no type "${type}"; there are ${[...mountTypes].join(", ")}`);
  return { type, options, ...(from === undefined ? {} : { from }) };
}
