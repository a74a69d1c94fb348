import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkRepositoryName, checkTag, isRepositoryName, tagFileName, tagOfFileName } from "./names.js";

describe("names of repositories", () => {
  test.each(["a", "app", "group/sub/app", "a.b_c__d---e/f0", "blobs/uploads", "x".repeat(255)])(
    "%s is one",
    (name) => {
      expect(isRepositoryName(name)).toBe(true);
    },
  );

  test.each([
    "",
    ".",
    "..",
    "a/../b",
    "/a",
    "a/",
    "a//b",
    "A",
    "_a",
    "a_",
    "a._b",
    "a___b",
    "a\\b",
    "a\u0000",
    "a\n",
    "x".repeat(256),
  ])("%j is none", (name) => {
    expect(isRepositoryName(name)).toBe(false);
    expect(() => checkRepositoryName(name)).toThrow(/is not a repository name/);
  });
});

describe("files of tags", () => {
  const tags = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/);

  test("a file name says its tag", () => {
    fc.assert(fc.property(tags, (tag) => tagOfFileName(tagFileName(tag)) === tag));
  });

  test("a file name has no capitals and fits every file system", () => {
    fc.assert(fc.property(tags, (tag) => /^[a-z0-9_.!-]{1,255}$/.test(tagFileName(tag))));
    expect(tagFileName("A".repeat(128)).length).toBeLessThan(200);
  });

  test.each(["!1", "a!", "a!0", "a!xyz", ".hidden", "a!1!2", `a!1${"0".repeat(40)}`])(
    "%s is no tag's file",
    (name) => {
      expect(tagOfFileName(name)).toBeUndefined();
    },
  );

  test.each(["", "..", "../x", ".x", "-x", "a/b", "a:b", "x".repeat(129)])("%j is no tag", (tag) => {
    expect(() => checkTag(tag)).toThrow(/is not a tag/);
  });
});
