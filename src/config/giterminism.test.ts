import { describe, expect, it } from "vitest";
import { parseGiterminism } from "./giterminism.js";

const name = "werf-giterminism.yaml";

describe("parseGiterminism", () => {
  it("reads every rule", () => {
    const rules = parseGiterminism(
      name,
      `giterminismConfigVersion: 1
cli: {allowCustomTags: true}
config:
  allowUncommitted: true
  allowUncommittedTemplates: ["**/*.tmpl"]
  goTemplateRendering: {allowEnvVariables: [TAG, /CI_(A|B)/], allowUncommittedFiles: [a/*]}
  secrets: {allowEnvVariables: [TOKEN], allowFiles: [keys/**], allowValueIds: [id]}
  dockerfile:
    allowUncommitted: [Dockerfile.*]
    allowUncommittedDockerignoreFiles: [.dockerignore]
    allowContextAddFiles: [dist/**]
  stapel: {allowFromLatest: true, git: {allowBranch: true}, mount: {allowBuildDir: true, allowFromPaths: [/x]}}
helm: {allowUncommittedFiles: [.helm/**]}
includes: {allowIncludesUpdate: true}
`,
      false,
    );
    expect([rules.loose, rules.allowsCustomTags, rules.allowsIncludesUpdate]).toEqual([false, true, true]);
    expect(rules.allowsUncommittedConfig()).toBe(true);
    expect([
      rules.allowsVariable("CI_A"),
      rules.allowsVariable("XCI_A"),
      rules.allowsVariable("TAGS"),
    ]).toEqual([true, false, false]);
    expect([
      rules.allowsUncommittedTemplate(".werf/a.tmpl"),
      rules.allowsUncommittedTemplate("a.txt"),
    ]).toEqual([true, false]);
    expect([rules.allowsUncommittedFile("a/b"), rules.allowsUncommittedFile("a/b/c")]).toEqual([true, false]);
    expect([
      rules.allowsUncommittedDockerfile("Dockerfile.x"),
      rules.allowsUncommittedDockerfile("x"),
    ]).toEqual([true, false]);
    expect([
      rules.allowsUncommittedDockerignore(".dockerignore"),
      rules.allowsContextAddFile("dist/a/b"),
    ]).toEqual([true, true]);
    expect([
      rules.allowsSecretVariable("TOKEN"),
      rules.allowsSecretFile("keys/a"),
      rules.allowsSecretValue("id"),
    ]).toEqual([true, true, true]);
    expect([
      rules.allowsSecretVariable("X"),
      rules.allowsSecretFile("x"),
      rules.allowsSecretValue("x"),
    ]).toEqual([false, false, false]);
  });

  it("allows nothing without a file, and everything when it is loose", () => {
    const strict = parseGiterminism(name, undefined, false);
    const loose = parseGiterminism(name, undefined, true);
    for (const [rules, expected] of [
      [strict, false],
      [loose, true],
    ] as const) {
      expect(rules.allowsUncommittedConfig()).toBe(expected);
      expect(rules.allowsVariable("X")).toBe(expected);
      expect(rules.allowsUncommittedFile("x")).toBe(expected);
      expect(rules.allowsContextAddFile("x")).toBe(expected);
      expect(rules.allowsCustomTags).toBe(expected);
    }
  });

  it.each([
    ["config: {}", "1:1: giterminismConfigVersion must be 1"],
    ["", "1:1: giterminismConfigVersion must be 1"],
    ["giterminismConfigVersion: 2", "1:27: giterminismConfigVersion must be 1"],
    [
      "giterminismConfigVersion: 1\nconfg: {}",
      '2:1: unknown key "confg" in werf-giterminism.yaml; did you mean "config"?',
    ],
    [
      "giterminismConfigVersion: 1\nconfig: {goTemplateRendering: {allowEnvVariable: [X]}}",
      'unknown key "allowEnvVariable" in config.goTemplateRendering; did you mean "allowEnvVariables"?',
    ],
    [
      "giterminismConfigVersion: 1\nconfig: {goTemplateRendering: {allowEnvVariables: [/(/]}}",
      "/(/ can't be used: a ( is not closed",
    ],
    [
      "giterminismConfigVersion: 1\nconfig: {stapel: {git: {allowBranch: 3}}}",
      "config.stapel.git.allowBranch must be true or false",
    ],
    ["giterminismConfigVersion: 1\n---\na: 1", "3:1: there must be one document"],
    ["giterminismConfigVersion: 1\nx: [", "werf-giterminism.yaml:2:"],
  ])("refuses %j", (text, message) => {
    expect(() => parseGiterminism(name, text, true)).toThrow(message);
  });
});
