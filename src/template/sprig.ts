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
  sprigSemver,
  sprigStrings,
  sprigTypes,
  type TemplateFunc,
} from "@promptctl/go-template-js";
import { regexFunctions } from "./regex-functions.js";

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
    ...regexFunctions,
    ...sprigSemver(),
    ...sprigStrings(),
    ...sprigTypes(),
  };
  return { ...pathFunctions, ...mustFunctions(known), ...olderNames(known), ...known };
}

const path = (fn: (path: string) => unknown): TemplateFunc => ({ argTypes: ["string"], fn });

const base = path((text) => posix.basename(text) || (text === "" ? "." : "/"));
const dir = path((text) => posix.dirname(posix.normalize(text)));
const ext = path((text) => /\.[^./]*$/.exec(text)?.[0] ?? "");
const clean = path((text) => posix.normalize(text).replace(/(.)\/$/, "$1"));
const isAbs = path((text) => text.startsWith("/"));

const pathFunctions: FuncMap = {
  base,
  dir,
  ext,
  clean,
  isAbs,
  osBase: base,
  osDir: dir,
  osExt: ext,
  osClean: clean,
  osIsAbs: isAbs,
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

const older: Readonly<Record<string, string>> = {
  date_in_zone: "dateInZone",
  date_modify: "dateModify",
  must_date_modify: "dateModify",
  mustDateModify: "dateModify",
};

function olderNames(known: FuncMap): FuncMap {
  return Object.fromEntries(
    Object.entries(older).flatMap(([name, target]) => {
      const fn = known[target];
      return fn === undefined ? [] : [[name, fn]];
    }),
  );
}

function mustFunctions(known: FuncMap): FuncMap {
  return Object.fromEntries(
    mustNames.flatMap((name) => {
      const fn = known[name];
      return fn === undefined ? [] : [[`must${name.charAt(0).toUpperCase()}${name.slice(1)}`, fn]];
    }),
  );
}
