// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of Dockerfiles
import { describe, expect, it } from "vitest";
import { expandWord, expandWords, pending, ShellWordError, type VariableValue } from "./shell-word.js";

const variables: Record<string, VariableValue> = {
  set: "value",
  empty: "",
  two: "a b",
  path: "/usr/local/lib/libx.so.1",
  later: pending,
};
const lookup = (name: string): VariableValue => variables[name];
const escapeCharacter = "\\";
const word = (text: string, more: object = {}): string =>
  expandWord(text, { escapeCharacter, lookup, ...more }).value;

it.each([
  ["plain", "plain"],
  ["", ""],
  ["$set", "value"],
  ["${set}", "value"],
  ["x${set}y$set-z", "xvaluey" + "value-z"],
  ["$unset", ""],
  ["${unset}.", "."],
  ["$", "$"],
  ["a$ b", "a$ b"],
  ["$/x", "$/x"],
  ["${unset:-default}", "default"],
  ["${empty:-default}", "default"],
  ["${empty-default}", ""],
  ["${unset-default}", "default"],
  ["${set:-default}", "value"],
  ["${set:+other}", "other"],
  ["${empty:+other}", ""],
  ["${empty+other}", "other"],
  ["${unset+other}", ""],
  ["${unset:-a${set}b}", "avalueb"],
  ["${unset:-${unset2:-deep}}", "deep"],
  ["${unset:-'a}b'}", "a}b"],
  ["${set:?no}", "value"],
  ["${empty?no}", ""],
  ["${path#/usr}", "/local/lib/libx.so.1"],
  ["${path#*/}", "usr/local/lib/libx.so.1"],
  ["${path##*/}", "libx.so.1"],
  ["${path%.*}", "/usr/local/lib/libx.so"],
  ["${path%%.*}", "/usr/local/lib/libx"],
  ["${path%/none}", "/usr/local/lib/libx.so.1"],
  ["${path/lib/LIB}", "/usr/local/LIB/libx.so.1"],
  ["${path//lib/LIB}", "/usr/local/LIB/LIBx.so.1"],
  ["${path/l?c/L.C}", "/usr/L.Cal/lib/libx.so.1"],
  ["\\$set", "$set"],
  ["\\${set}", "${set}"],
  ["a\\b", "ab"],
  ["a\\\\b", "a\\b"],
  ["end\\", "end"],
  ["'$set'", "$set"],
  ["'a\\b'", "a\\b"],
  ['"$set"', "value"],
  ['"a\\b \\" \\$set \\\\"', 'a\\b " $set \\'],
  ['"it\'s $set"', "it's value"],
  ["'say \"hi\"'", 'say "hi"'],
  ["$0", ""],
  ["$1x", "x"],
  ["пре${set}фикс", "преvalueфикс"],
])("expands %s to %s", (text, expected) => {
  expect(word(text)).toBe(expected);
});

it.each([
  ["'open", "single quote"],
  ['"open', "double quote"],
  ["${set", '"}" is missing'],
  ["${set:-x", '"}" is missing'],
  ["${", "bad substitution"],
  ["${}", "bad substitution"],
  ["${set:#x}", "not a known operator"],
  ["${set!x}", "not a known operator"],
  ["${unset:?please set it}", "unset: please set it"],
  ["${empty:?}", "empty: it must be set"],
])("refuses %s", (text, message) => {
  expect(() => word(text)).toThrow(ShellWordError);
  expect(() => word(text)).toThrow(message);
});

it("takes a backtick as escape character when the file says so", () => {
  expect(expandWord("C:\\dir\\$set`$set", { escapeCharacter: "`", lookup }).value).toBe("C:\\dir\\value$set");
});

it("keeps quotes, or takes them for ordinary characters, when asked", () => {
  expect(word("\"$set\" '$set'", { quotes: "keep" })).toBe("\"value\" '$set'");
  expect(word('it\'s "$set"', { quotes: "ignore" })).toBe('it\'s "value"');
  expect(word("a\\$b\\'", { keepEscapes: true, quotes: "keep" })).toBe("a\\$b\\'");
});

describe("pending variables", () => {
  it.each([
    ["$later/x", "$later/x", ["later"]],
    ["${later}-$set", "${later}-value", ["later"]],
    ["${later:-$set}", "${later:-$set}", ["later"]],
    ["${set:-$later}", "value", []],
    ["${unset:-$later}", "$later", ["later"]],
    ["${later##*/}", "${later##*/}", ["later"]],
    ["'$later'", "$later", []],
  ])("leaves %s as %s", (text, value, names) => {
    expect(expandWord(text, { escapeCharacter, lookup })).toEqual({ value, pending: names });
  });
});

it.each([
  ["a b  c", ["a", "b", "c"]],
  ["'a b' c", ["a b", "c"]],
  ['"" x', ["", "x"]],
  ["$two c", ["a", "b", "c"]],
  ['"$two" c', ["a b", "c"]],
  ["a\\ b", ["a b"]],
  ["${unset:-p q}", ["p", "q"]],
  [" ", []],
  ["$unset", []],
])("splits %s into %j", (text, expected) => {
  expect(expandWords(text, { escapeCharacter, lookup }).value).toEqual(expected);
});
