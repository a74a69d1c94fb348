import { heredocMark } from "./heredoc.js";
import type { CopyFacts, KeyValue } from "./instruction.js";
import { type InstructionSource, jsonStrings, required } from "./instruction-source.js";
import { syntaxError } from "./syntax-error.js";

const flagsOf: Readonly<Record<string, readonly string[]>> = {
  COPY: ["from", "chown", "chmod", "link", "parents", "exclude"],
  ADD: ["chown", "chmod", "link", "exclude", "checksum", "keep-git-dir", "unpack"],
};

/** COPY and ADD. https://docs.docker.com/reference/dockerfile/#copy */
export function parseAddOrCopy(source: InstructionSource): CopyFacts<string> {
  const { position, keyword } = source;
  const words = jsonStrings(source, required(source)) ?? source.rest.split(/\s+/);
  const destination = words.at(-1);
  const given = words.slice(0, -1);
  if (destination === undefined || given.length === 0) {
    throw syntaxError(
      position,
      `${keyword} needs a source and a destination`,
      `write ${keyword} source destination`,
    );
  }
  const sources: string[] = [];
  const heredocs: CopyFacts<string>["heredocs"][number][] = [];
  const bodies = [...source.heredocs];
  if (bodies.length > 0 && heredocMark(destination, source.escapeCharacter) !== undefined)
    throw syntaxError(position, `a heredoc can't be the destination of ${keyword}`);
  for (const word of given) {
    const body = heredocMark(word, source.escapeCharacter) === undefined ? undefined : bodies.shift();
    if (body === undefined) sources.push(word);
    else heredocs.push({ name: body.name, content: body.content, expand: body.expand });
  }
  return { sources, heredocs, destination, ...copyFlags(source) };
}

type CopyFlags = Pick<CopyFacts<string>, "from" | "chown" | "chmod" | "parents" | "exclude" | "options">;

function copyFlags({ flags, keyword, position }: InstructionSource): CopyFlags {
  const known = flagsOf[keyword] ?? [];
  const texts: { from?: string; chown?: string; chmod?: string } = {};
  const exclude: string[] = [];
  const options: KeyValue[] = [];
  let parents = false;
  for (const { key, value } of flags) {
    if (!known.includes(key))
      throw syntaxError(position, `${keyword} has no flag --${key}; there are --${known.join(", --")}`);
    if (key === "from" || key === "chown" || key === "chmod") texts[key] = nonEmpty(key, value, position);
    else if (key === "exclude") exclude.push(nonEmpty(key, value, position));
    else if (key === "parents") parents = truth(key, value, position);
    // A layer of its own is what every COPY makes here.
    else if (key === "link") truth(key, value, position);
    else options.push({ key, value });
  }
  return { ...texts, parents, exclude, options };
}

function nonEmpty(flag: string, value: string, position: InstructionSource["position"]): string {
  if (value === "") throw syntaxError(position, `--${flag} needs a value: --${flag}=value`);
  return value;
}

function truth(flag: string, value: string, position: InstructionSource["position"]): boolean {
  if (value === "" || value === "true") return true;
  if (value === "false") return false;
  throw syntaxError(position, `--${flag}=${value} is neither true nor false`);
}
