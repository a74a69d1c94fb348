import { describe, expect, it } from "vitest";
import { compileRe2, compileRe2Search } from "./re2.js";

describe("compileRe2", () => {
  it.each<[string, string[], string[]]>([
    ["main|release", ["main", "release"], ["main-x", "x-release", "xmain"]],
    ["v\\d+\\.\\d+", ["v1.20"], ["v1x20", "1.2", "v1.2.3"]],
    ["", [""], ["a"]],
    ["(?i)MAIN", ["main", "Main"], ["mains"]],
    ["a.b", ["axb", "a\rb", "a\u2028b"], ["a\nb", "ab"]],
    ["(?s)a.b", ["a\nb"], []],
    ["(?s:a.)b.", ["a\nbx"], ["a\nb\n"]],
    ["((?s)a.)b.", ["a\nbx"], ["a\nb\n"]],
    ["a|(?s).|b.", ["\n", "b\n"], []],
    ["^main$", ["main"], ["main\n", "\nmain"]],
    ["(?m)a$\\n^b", ["a\nb"], ["ab"]],
    ["\\Amain\\z", ["main"], ["main\n"]],
    ["\\pL+", ["é", "main"], ["1"]],
    ["\\p{Greek}\\P{Greek}", ["αa"], ["aα"]],
    ["\\p{^Greek}", ["a"], ["α"]],
    ["\\s\\S", [" a"], ["\u00a0a", "a "]],
    ["[^\\S]", [" "], ["\u00a0", "a"]],
    ["[\\w-.]+", ["a-b.c_1"], ["a/b"]],
    ["[]a]+", ["]a"], ["b"]],
    ["[^]a]", ["b"], ["]"]],
    ["[[:alpha:]_]+", ["ab_"], ["1"]],
    ["[[:^digit:]]", ["a", "é"], ["1"]],
    ["[a\\-z]", ["-", "a", "z"], ["b"]],
    ["[&&]", ["&"], ["a"]],
    ["a{2}b{1,}c{0,2}", ["aabcc", "aabb"], ["abc"]],
    ["a{,2}", ["a{,2}"], ["aa"]],
    ["a{x}", ["a{x}"], ["a"]],
    ["}]", ["}]"], [""]],
    ["(?P<name>a)(?<other>b)(?:c)", ["abc"], []],
    ["\\Qa.b*\\E+", ["a.b*", "a.b**"], ["axb*"]],
    ["\\\\Q", ["\\Q"], []],
    ["\\x41\\x{1F600}\\101\\0", ["A😀A\0"], []],
    ["feature\\/.+", ["feature/x"], ["feature/"]],
    ["a*?b+?", ["aab"], ["a"]],
    ["^*a", ["a"], []],
    ["\\_\\-\\@", ["_-@"], []],
    ["\\bmain\\b", ["main"], []],
    ["(|a)b", ["b", "ab"], []],
    ["😀+", ["😀😀"], ["😀a"]],
  ])("/%s/ matches as Go does, and only whole texts", (source, matching, others) => {
    const pattern = compileRe2(source);
    expect(matching.filter((text) => !pattern.test(text))).toEqual([]);
    expect(others.filter((text) => pattern.test(text))).toEqual([]);
  });

  it.each([
    ["a(?=b)", "look-around"],
    ["(?<!a)b", "look-around"],
    ["(a)\\1", "back-references"],
    ["(?P=name)", "the group (?P=na"],
    ["(?U)a+", 'the flag "U"'],
    ["a(?i)b", "very beginning"],
    ["(?i:a)b", "very beginning"],
    ["a**", "** repeats a repetition"],
    ["a++", "++ repeats a repetition"],
    ["*a", "nothing before *"],
    ["a{1001}", "more than 1000"],
    ["a{3,2}", "can't be used"],
    ["(a", "a ( is not closed"],
    ["a)", "a ) has no ("],
    ["[a", "a [ is not closed"],
    ["[z-a]", "z-a is not a range"],
    ["[a-\\d]", "not a range"],
    ["[\\b]", "can't stand in a class"],
    ["[[:nope:]]", "[:nope:] is not known"],
    ["\\C", "the escape \\C"],
    ["\\Z", "the escape \\Z"],
    ["a\\", "ends with a backslash"],
    ["\\p{Nope}", "no class of Unicode"],
    ["\\x{110000}", "no character"],
    [`${"(".repeat(200)}`, "deeper than 100"],
  ])("refuses /%s/ and says why", (source, reason) => {
    expect(() => compileRe2(source)).toThrow(reason);
  });
});

it("searches within a text and keeps groups", () => {
  const found = [..."key=1, other=22".matchAll(compileRe2Search("(?P<name>[a-z]+)=(?:x|(\\d+))"))];
  expect(found.map((match) => [match[0], match.groups?.["name"], match[2]])).toEqual([
    ["key=1", "key", "1"],
    ["other=22", "other", "22"],
  ]);
});
