import { describe, expect, it } from "vitest";
import { parseHelmIgnore } from "./helm-ignore.js";

describe("parseHelmIgnore", () => {
  // Expectations follow https://helm.sh/docs/chart_template_guide/helm_ignore_file/ and Go's filepath.Match.
  it.each<[string, string, boolean]>([
    ["", "templates/pod.yaml", false],
    ["", "templates/.hidden", true],
    ["*.txt", "a.txt", true],
    ["*.txt", "docs/a.txt", true],
    ["/*.txt", "docs/a.txt", false],
    ["/*.txt", "a.txt", true],
    ["docs/*.txt", "docs/a.txt", true],
    ["docs/*.txt", "docs/deep/a.txt", false],
    ["docs/*.txt", "other/docs/a.txt", false],
    ["docs/", "docs/a.txt", true],
    ["docs/", "deep/docs/a.txt", true],
    ["docs/", "docs", false],
    ["docs", "docs/deep/a.txt", true],
    ["# docs", "docs", false],
    ["ab?", "abc", true],
    ["ab[c-d].txt", "abd.txt", true],
    ["ab[^c].txt", "abc.txt", false],
    ["{a,b}", "a", false],
    ["{a,b}", "{a,b}", true],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["\uFEFF*.md", "README.md", true],
    // A negated rule leaves out whatever it doesn't match.
    ["!*.yaml", "README.md", true],
    ["!*.yaml", "values.yaml", false],
  ])("%j on %s: %s", (rules, path, ignored) => {
    expect(parseHelmIgnore(rules)(path)).toBe(ignored);
  });

  it.each(["**/a", "a[", "a[z-a]", "a\\"])("refuses %s and says which line", (rule) => {
    expect(() => parseHelmIgnore(`# comment\n${rule}\n`)).toThrow(
      expect.objectContaining({
        code: "bundle/helmignore-invalid",
        message: expect.stringContaining("line 2"),
      }),
    );
  });
});
