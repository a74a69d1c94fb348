import { expect, it } from "vitest";
import { globToRegExp, isGlob } from "./glob.js";

it.each([
  ["*.tmpl", ["a.tmpl", ".tmpl"], ["a/b.tmpl", "a.tmplx"]],
  ["**/*.tmpl", ["a.tmpl", "a/b/c.tmpl"], ["a.tmp", "tmpl"]],
  ["a/**", ["a", "a/b", "a/b/c"], ["ab", "b/a"]],
  ["a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/b/c"]],
  ["**", ["a", "a/b"], []],
  ["a?c", ["abc", "a.c"], ["ac", "a/c"]],
  ["[a-c]x", ["ax", "cx"], ["dx", "/x"]],
  ["[^a-c]x", ["dx"], ["ax", "/x"]],
  ["[!a]x", ["bx"], ["ax", "/x"]],
  ["[z-a]", ["z", "-", "a"], ["m"]],
  ["[]", ["[]"], ["x"]],
  ["{a,b{1,2}}.yaml", ["a.yaml", "b1.yaml", "b2.yaml"], ["b.yaml", "c.yaml"]],
  ["{a", ["{a"], ["a"]],
  ["a\\*b", ["a*b"], ["axb"]],
  ["a.b+c", ["a.b+c"], ["axb+c", "a.bbc"]],
  ["a**b", ["axb"], ["a/b"]],
  ["é?", ["é😀"], ["é"]],
])("%s", (glob, matching, others) => {
  const pattern = globToRegExp(glob);
  expect(matching.filter((path) => !pattern.test(path))).toEqual([]);
  expect(others.filter((path) => pattern.test(path))).toEqual([]);
});

it("knows a glob from a plain name", () => {
  expect(isGlob("back*")).toBe(true);
  expect(isGlob("group/backend-1.x")).toBe(false);
});
