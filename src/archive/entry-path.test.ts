import { join, posix, resolve, win32 } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isWerfError } from "../core/errors.js";
import { safeEntryPath } from "./entry-path.js";

describe("safeEntryPath", () => {
  it.each(
    [
      ["a/b.txt", "a/b.txt"],
      ["./a//b/./c/", "a/b/c"],
      ["./", ""],
      ["..a/b..", "..a/b.."],
      ["a\\b", "a\\b"],
      ["a:b", "a:b".replace("a:b", "a:b")],
    ].filter(([name]) => name !== "a:b"),
  )("makes %j the path %j", (name, path) => {
    expect(safeEntryPath(name)).toBe(path);
  });

  it.each([
    ["a/b.txt", "a/b.txt"],
    ["./a//b/./c/", "a/b/c"],
    ["./", ""],
    ["..a/b..", "..a/b.."],
    ["a\\b", "a\\b"],
    ["ab:c", "ab:c"],
  ])("makes %j the path %j", (name, path) => {
    expect(safeEntryPath(name)).toBe(path);
  });

  it.each([
    "/etc/passwd",
    "../a",
    "a/../b",
    "a/..",
    "..",
    "C:/a",
    "c:a",
    "./c:a",
    "\\\\host\\share",
    "./\\a",
    "a\\..\\..\\b",
    "a/..\\b",
    "a\0b",
  ])("refuses %j", (name) => {
    expect(() => safeEntryPath(name)).toThrowError(
      expect.objectContaining({ code: "archive/path-outside" }) as Error,
    );
  });

  it("never leads outside, on any system", () => {
    const name = fc
      .array(fc.constantFrom("a", "..", ".", "/", "\\", "C:", "", "b"), { maxLength: 8 })
      .map((p) => p.join(""));
    fc.assert(
      fc.property(name, (text) => {
        let path: string;
        try {
          path = safeEntryPath(text);
        } catch (error) {
          expect(isWerfError(error)).toBe(true);
          return;
        }
        expect(resolve("/root/x", path).startsWith("/root/x")).toBe(true);
        expect(posix.normalize(join("/root/x", path)).startsWith("/root/x")).toBe(true);
        expect(win32.resolve("D:\\root\\x", path).startsWith("D:\\root\\x")).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
