import { posix } from "node:path";
import {
  type FuncMap,
  sprigConversions,
  sprigDatetime,
  sprigDefaults,
  sprigDicts,
  sprigFlow,
  sprigHash,
  sprigLists,
  sprigMath,
  sprigRandom,
  sprigRegex,
  sprigSemver,
  sprigStrings,
  sprigTypes,
  type TemplateFunc,
} from "@promptctl/go-template-js";

/**
 * The functions of sprig, as Helm and werf have them: the library's, sprig's `must` names for them, and the
 * functions on paths. Not here: certificates, passwords, encryption, `getHostByName`, `urlParse`.
 * @see https://masterminds.github.io/sprig/
 */
export function sprigFunctions(now: () => Date): FuncMap {
  const known: FuncMap = {
    ...sprigConversions(),
    ...sprigDatetime(now),
    ...sprigDefaults(),
    ...sprigDicts(),
    ...sprigFlow(),
    ...sprigHash(),
    ...sprigLists(),
    ...sprigMath(),
    ...sprigRandom(),
    ...sprigRegex(),
    ...sprigSemver(),
    ...sprigStrings(),
    ...sprigTypes(),
  };
  return { ...pathFunctions, ...mustFunctions(known), ...known };
}

const path = (fn: (path: string) => unknown): TemplateFunc => ({ argTypes: ["string"], fn });

const pathFunctions: FuncMap = {
  base: path((text) => posix.basename(text) || (text === "" ? "." : "/")),
  dir: path((text) => posix.dirname(posix.normalize(text))),
  ext: path((text) => /\.[^./]*$/.exec(text)?.[0] ?? ""),
  clean: path((text) => posix.normalize(text).replace(/(.)\/$/, "$1")),
  isAbs: path((text) => text.startsWith("/")),
  trimall: { argTypes: ["string", "string"], fn: (cut: string, text: string) => trimAll(text, cut) },
};

function trimAll(text: string, cut: string): string {
  const letters = new Set(cut);
  const characters = [...text];
  const first = characters.findIndex((character) => !letters.has(character));
  const last = characters.findLastIndex((character) => !letters.has(character));
  return first < 0 ? "" : characters.slice(first, last + 1).join("");
}

/** Sprig's functions that fail where their namesakes give an empty value; ours always fail. */
const mustNames = [
  "append",
  "chunk",
  "compact",
  "deepCopy",
  "first",
  "fromJson",
  "has",
  "initial",
  "last",
  "merge",
  "mergeOverwrite",
  "prepend",
  "push",
  "regexFind",
  "regexFindAll",
  "regexMatch",
  "regexReplaceAll",
  "regexReplaceAllLiteral",
  "regexSplit",
  "rest",
  "reverse",
  "slice",
  "toDate",
  "toJson",
  "toPrettyJson",
  "toRawJson",
  "uniq",
  "without",
];

function mustFunctions(known: FuncMap): FuncMap {
  return Object.fromEntries(
    mustNames.flatMap((name) => {
      const fn = known[name];
      return fn === undefined ? [] : [[`must${name.charAt(0).toUpperCase()}${name.slice(1)}`, fn]];
    }),
  );
}
