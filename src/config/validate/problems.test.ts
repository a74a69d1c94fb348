import { describe, expect, it } from "vitest";
import { isWerfError, type WerfError } from "../../core/errors.js";
import type { WerfConfig } from "../model.js";
import { validateConfig } from "./config-file.js";

const project = "configVersion: 1\nproject: app\n";

function validate(text: string, projectName?: string): WerfConfig {
  return validateConfig("werf.yaml", text, { projectName });
}

function failureOf(text: string): WerfError {
  try {
    validate(text);
  } catch (error) {
    if (isWerfError(error)) return error;
    throw error;
  }
  throw new Error("the file was accepted");
}

/** The problems, without the name of the file. */
function problemsOf(text: string): string[] {
  const { message } = failureOf(text);
  return message
    .split("\n")
    .filter((line) => /werf\.yaml:\d+/.test(line))
    .map((line) => line.replace(/^ *werf\.yaml:/, ""));
}

describe("problems", () => {
  it("are told all at once, in the order of the file", () => {
    const error = failureOf(`configVersion: 1
project: my_app
bild: {}
---
image: a
dockerfile: D
targt: x
final: maybe
---
imagee: b
`);
    expect(error.code).toBe("config/invalid");
    expect(error.message).toBe(`werf.yaml is not valid:
  werf.yaml:2:10: "my_app" is no name of a project: at most 50 of a-z, 0-9 and -, with a letter or digit at both ends
  werf.yaml:3:1: unknown key "bild" in the project's document; did you mean "build"?
  werf.yaml:7:1: unknown key "targt" in image "a"; did you mean "target"?
  werf.yaml:8:8: final must be true or false, not "maybe"
  werf.yaml:10:1: unknown key "imagee"; did you mean "image"?`);
  });

  it("say that positions are those of the rendered file", () => {
    expect(() => validateConfig("werf.yaml", "x: 1", { note: " (rendered)" })).toThrow(
      "werf.yaml is not valid (rendered):\n  werf.yaml:1:1: a document needs",
    );
  });

  it("are shown up to fifty", () => {
    const many = Array.from({ length: 60 }, (_, i) => `key${i}: 1`).join("\n");
    const lines = failureOf(`${project}${many}`).message.split("\n");
    expect(lines).toHaveLength(52);
    expect(lines.at(-1)).toBe("  and 10 more");
  });

  it.each<[string, string, string[]]>([
    ["no project document", "image: a\ndockerfile: D", ["1:1: no document has configVersion"]],
    ["an empty file", "", ["1:1: no document has configVersion"]],
    [
      "two project documents",
      `${project}---\n${project}`,
      ["4:1: configVersion is there twice; the first is in line 1"],
    ],
    ["no project name", "configVersion: 1", ['1:1: the key "project" is missing']],
    ["another version", "configVersion: 2\nproject: a", ["1:16: configVersion must be 1, not 2"]],
    [
      "a version as text",
      'configVersion: "1"\nproject: a',
      ['1:16: configVersion must be a whole number, not "1"'],
    ],
    ["an image in the project", `${project}image: a`, ["3:1: an image needs a document of its own"]],
    ["neither", `${project}---\nfoo: 1`, ['4:1: a document needs "image"']],
    ["a list", `${project}---\n- a`, ["4:1: a document must be a mapping"]],
    ["no YAML", `${project}a: [b`, ["3:6: flow sequence"]],
    ["a duplicate key", `${project}project: b`, ['3:1: the key "project" is there twice']],
    ["an unknown tag", `${project}deploy: !x {}`, ["3:9: unresolved tag: !x"]],
    ["an unknown alias", `${project}deploy: *x`, ["3:9: "]],
    ["a wrong mapping", `${project}deploy: []`, ["3:9: deploy must be a mapping, not a list"]],
    [
      "a wrong list",
      `${project}build: {platform: linux/amd64}`,
      ['3:19: build.platform must be a list of strings, not "linux/amd64"'],
    ],
    [
      "a wrong platform",
      `${project}build: {platform: [amd64]}`,
      ['"amd64" is no platform; write os/architecture'],
    ],
    ["a wrong merge", `${project}deploy: {<<: x}`, ["<< must be followed by a mapping"]],
  ])("project: %s", (_, text, expected) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(expected.length);
    for (const [i, part] of expected.entries()) expect(problems[i]).toContain(part);
  });

  it.each<[string, string, string[]]>([
    ["no name", "image: ~\ndockerfile: D", ["4:1: an image needs a name: images without one (image: ~)"]],
    ["no names", "image: []\ndockerfile: D", ["4:8: image must name at least one image"]],
    ["scratch", "image: scratch\ndockerfile: D", ['4:8: "scratch" is reserved']],
    ["a wrong name", "image: [ok, -a, a//b]\ndockerfile: D", ['"-a" is no name', '"a//b" is no name']],
    ["no dockerfile and no base", "image: a", ['4:1: image "a" needs "dockerfile", or "from"']],
    [
      "a mistyped dockerfile",
      "image: a\ndockerfil: D",
      ['5:1: unknown key "dockerfil" in image "a"; did you mean "dockerfile"?'],
    ],
    ["no value of dockerfile", "image: a\ndockerfile:", ["5:1: dockerfile must be the path of a Dockerfile"]],
    [
      "a Dockerfile outside",
      "image: a\ndockerfile: ../D",
      ["5:13: dockerfile must be a path within the project"],
    ],
    [
      "an absolute Dockerfile",
      "image: a\ndockerfile: /D",
      ["5:13: dockerfile must be a path within the project"],
    ],
    [
      "a context outside",
      "image: a\ndockerfile: D\ncontext: a/../..",
      ["6:10: context must be a path within"],
    ],
    ["Stapel keys", "image: a\ndockerfile: D\nshell: {}", ['6:1: "shell" belongs to Stapel images']],
    [
      "an argument without value",
      "image: a\ndockerfile: D\nargs: {A: }",
      ['6:8: args.A must have a value; write ""'],
    ],
    ["an argument that is a list", "image: a\ndockerfile: D\nargs: {A: [1]}", ["args.A must have a value"]],
    [
      "an image that is there twice",
      "image: [a, a]\ndockerfile: D",
      ['4:8: the image "a" is already there, in line 4'],
    ],
    [
      "two sources of a secret",
      "image: a\ndockerfile: D\nsecrets: [{env: A, src: b}]",
      ['secrets[0] needs exactly one of "env"'],
    ],
    ["a secret without id", "image: a\ndockerfile: D\nsecrets: [{value: A}]", ['secrets[0] needs an "id"']],
    [
      "equal secrets",
      "image: a\ndockerfile: D\nsecrets: [{env: A}, {id: A, value: x}]",
      ['the id "A" of a secret is there twice'],
    ],
    [
      "an unknown key of imageSpec",
      "image: a\ndockerfile: D\nimageSpec: {config: {lables: {}}}",
      ['unknown key "lables" in imageSpec.config; did you mean "labels"?'],
    ],
    [
      "an unknown image",
      "image: backend\ndockerfile: D\ndependencies:\n- from: backnd",
      ['7:9: image "backend" depends on the image "backnd", which is not there; did you mean "backend"?'],
    ],
    [
      "no image",
      "image: a\ndockerfile: D\ndependencies:\n- imports: []",
      ['7:3: dependencies[0] needs "from"'],
    ],
    [
      "both names of it",
      "image: a\ndockerfile: D\ndependencies:\n- {from: a, image: a}",
      ['dependencies[0] has both "from" and "image"'],
    ],
    ["an unknown base of Stapel", "image: a\nfromImage: b", ['5:12: image "a" depends on the image "b"']],
  ])("image: %s", (_, image, expected) => {
    const problems = problemsOf(`${project}---\n${image}`);
    expect(problems).toHaveLength(expected.length);
    for (const [i, part] of expected.entries()) expect(problems[i]).toContain(part);
  });

  it.each<[string, string]>([
    [
      "{type: ImageNam, targetBuildArg: X}",
      '"ImageNam" is not one of ImageName, ImageRepo, ImageTag, ImageDigest, ImageID; did you mean "ImageName"?',
    ],
    ["{targetBuildArg: X}", 'dependencies[0].imports[0] needs "type"'],
    ["{type: ImageTag}", 'dependencies[0].imports[0] needs "targetBuildArg"'],
    ["{type: ImageTag, targetBuildArg: A-B}", '"A-B" is no name of a build argument'],
    ["{type: ImageTag, targetBuildArg: ARG}", 'the build argument "ARG" is already set by "args"'],
    ["{type: ImageTag, targetBuildArg: X, targetEnv: Y}", '"targetEnv" belongs to Stapel images'],
    [
      "{type: ImageTag, targetBuildArg: X}, {type: ImageTag, targetBuildArg: X}",
      'the build argument "X" is already set by dependencies[0].imports[0]',
    ],
  ])("import %s", (imports, expected) => {
    const text = `${project}---\nimage: a\ndockerfile: D\nargs: {ARG: x}\ndependencies:\n- from: b\n  imports: [${imports}]\n---\nimage: b\ndockerfile: D`;
    expect(problemsOf(text)).toEqual([expect.stringContaining(expected)]);
  });

  it.each<[string, string[]]>([
    ["{keepPolices: []}", ['unknown key "keepPolices" in cleanup; did you mean "keepPolicies"?']],
    [
      "{keepImagesBuiltWithinLastNHours: -1}",
      ["cleanup.keepImagesBuiltWithinLastNHours must be at least 0, not -1"],
    ],
    ["{keepImagesBuiltWithinLastNHours: 1.5}", ["must be a whole number"]],
    ["{keepPolicies: [{}]}", ['cleanup.keepPolicies[0] needs "references"']],
    ["{keepPolicies: [x]}", ["cleanup.keepPolicies[0] must be a mapping"]],
    ["{keepPolicies: [{references: {}}]}", ['cleanup.keepPolicies[0].references needs "tag" or "branch"']],
    [
      "{keepPolicies: [{references: {branche: x}}]}",
      ['unknown key "branche" in cleanup.keepPolicies[0].references; did you mean "branch"?'],
    ],
    ["{keepPolicies: [{references: {tag: a, branch: b}}]}", ['has both "tag" and "branch"']],
    [
      "{keepPolicies: [{references: {tag: /a(?=b)/}}]}",
      [
        "cleanup.keepPolicies[0].references.tag: /a(?=b)/ can't be used: Go's expressions have no look-around",
      ],
    ],
    ["{keepPolicies: [{references: {tag: /}}]}", ["is empty and would match nothing"]],
    ["{keepPolicies: [{references: {tag: //}}]}", ["is empty and would match nothing"]],
    [
      "{keepPolicies: [{references: {tag: a, limit: {in: 7d}}}]}",
      ['limit.in: "7d" is not a duration; there is no unit for days or weeks: write 168h'],
    ],
    ["{keepPolicies: [{references: {tag: a, limit: {in: -7h}}}]}", ["limit.in must not be negative: -7h"]],
    [
      "{keepPolicies: [{references: {tag: a, limit: {operator: or}}}]}",
      ['limit.operator must be And or Or, not "or"; did you mean Or?'],
    ],
    [
      "{keepPolicies: [{references: {tag: a}, imagesPerReference: {operator: Xor, lost: 1}}]}",
      [
        'unknown key "lost" in cleanup.keepPolicies[0].imagesPerReference; did you mean "last"?',
        "imagesPerReference.operator must be And or Or",
      ],
    ],
  ])("cleanup: %s", (cleanup, expected) => {
    const problems = problemsOf(`${project}cleanup: ${cleanup}`);
    expect(problems).toHaveLength(expected.length);
    for (const part of expected) expect(problems.join("\n")).toContain(part);
  });
});
