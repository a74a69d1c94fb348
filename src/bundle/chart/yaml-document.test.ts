import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseYaml } from "./yaml-document.js";

const edit = (text: string, values: Parameters<ReturnType<typeof parseYaml>["merge"]>[0]): string => {
  const document = parseYaml(Buffer.from(text), "values.yaml");
  document.merge(values);
  return Buffer.from(document.toBytes()).toString();
};

describe("YamlDocument", () => {
  it("leaves everything that isn't touched as it is spelt", () => {
    const text = `# how many
replicas: 1
octal: 0o17
old: 010
price: 1.10
big: 123456789012345678901234567890
on: yes # a boolean to Helm
text: "1"
none: ~
empty:
script: |
  echo "one"
    two
folded: >-
  a long line
list: [1, 2, {a: b}]
base: &base
  cpu: 1
derived:
  <<: *base
`;
    expect(edit(text, {})).toBe(text);
    const edited = edit(text, { werf: { name: "shop" } });
    expect(edited).toBe(`${text}werf:\n  name: shop\n`);
  });

  it("lays maps into maps and replaces what is no map", () => {
    const text = "werf:\n  name: old\n  own: 1\nglobal: text\nlist:\n  - 1\n";
    expect(parse(edit(text, { werf: { name: "new" }, global: { env: "prod" }, list: { a: "b" } }))).toEqual({
      werf: { name: "new", own: 1 },
      global: { env: "prod" },
      list: { a: "b" },
    });
  });

  it.each([
    "123",
    "1e3",
    "0x1f",
    "true",
    "yes",
    "null",
    "~",
    "",
    "2020-01-01",
    "a: b",
    "# x",
    "*a",
    "line\nline",
  ])("writes the text %j so that it stays a text", (text) => {
    const written = edit("", { key: text, [text]: "key" });
    expect(parse(written)).toEqual({ key: text, [text]: "key" });
    expect(parse(written, { version: "1.1" })).toEqual({ key: text, [text]: "key" });
  });

  it("writes numbers, booleans and lists as what they are", () => {
    const value = { n: 1767323045, b: true, l: ["1", 2, { a: "b" }], m: {} };
    expect(parse(edit("", value))).toEqual(value);
  });

  it("doesn't change what an alias shares", () => {
    const text = "base: &base\n  image: {a: b}\nwerf: *base\n";
    expect(parse(edit(text, { werf: { image: { a: "c" } } }))).toEqual({
      base: { image: { a: "b" } },
      werf: { image: { a: "c" } },
    });
  });

  it("reads and removes by path, through aliases", () => {
    const document = parseYaml(Buffer.from("a: &a {b: {c: 010}}\nd: *a\ne: ~\nf: '~'\n"), "x");
    expect(document.get(["d", "b"])).toEqual({ c: "010" });
    expect(document.get(["d", "x", "y"])).toBeUndefined();
    expect(document.get(["e"])).toBeUndefined();
    expect(document.get(["f"])).toBe("~");
    document.remove(["a", "b", "c"]);
    document.remove(["nowhere", "b"]);
    expect(document.get(["d", "b"])).toEqual({});
  });

  it.each([
    ["a list at the top", "- a\n"],
    ["text at the top", "just text\n"],
    ["a key twice", "a: 1\na: 2\n"],
    ["two documents", "a: 1\n---\nb: 2\n"],
    ["what isn't YAML", "a: [1\n"],
    ["an alias without an anchor", "werf: *nowhere\n"],
    ["nesting without end", `a: ${"[".repeat(200_000)}`],
    ["more than 5 MiB", `a: ${"x".repeat(6 * 1024 * 1024)}`],
  ])("refuses %s", (_what, text) => {
    const read = (): unknown => parseYaml(Buffer.from(text), "values.yaml of x").get(["werf"]);
    expect(read).toThrow(expect.objectContaining({ code: "bundle/yaml-invalid" }));
  });

  it("refuses to expand a bomb of aliases", () => {
    const levels = Array.from({ length: 12 }, (_, i) => {
      const inner = i === 0 ? '"x"' : Array.from({ length: 10 }, () => `*a${i - 1}`).join(", ");
      return `a${i}: &a${i} [${inner}]`;
    });
    const document = parseYaml(
      Buffer.from(`${levels.join("\n")}\nwerf: {image: *a11}\n`),
      "values.yaml of x",
    );
    expect(() => document.get(["werf", "image"])).toThrow(
      expect.objectContaining({ code: "bundle/yaml-invalid" }),
    );
  });
});
