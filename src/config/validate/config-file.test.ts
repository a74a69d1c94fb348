import { describe, expect, it } from "vitest";
import { isWerfError, type WerfError } from "../../core/errors.js";
import type { DockerfileImage, WerfConfig } from "../model.js";
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

describe("a whole file", () => {
  it("is read with every key of the project", () => {
    const config = validate(`configVersion: 1
project: app
build: {cacheVersion: 1.10, platform: [linux/amd64, linux/arm64], staged: no}
cleanup:
  disable: true
  disableKubernetesBasedPolicy: yes
  keepImagesBuiltWithinLastNHours: 0
  keepPolicies:
  - references: {branch: /^(main|dev)$/, limit: {last: 10, in: 168h, operator: Or}}
    imagesPerReference: {last: -1, in: 1h30m}
  - references: {tag: v1.0}
deploy:
  helmChartDir: chart
  helmChartConfig: {appVersion: 1.0}
  helmRelease: "[[ project ]]"
  helmReleaseSlug: false
gitWorktree: {forceShallowClone: true, allowUnshallow: false}
`);
    expect(config).toEqual({
      project: "app",
      configVersion: 1,
      build: { cacheVersion: "1.10", platform: ["linux/amd64", "linux/arm64"], staged: false },
      cleanup: {
        disable: true,
        disableKubernetesBasedPolicy: true,
        disableGitHistoryBasedPolicy: false,
        disableBuiltWithinLastNHoursPolicy: false,
        keepImagesBuiltWithinLastNHours: 0,
        keepPolicies: [
          {
            references: {
              kind: "branch",
              source: "/^(main|dev)$/",
              pattern: expect.any(RegExp) as RegExp,
              limit: { last: 10, inMs: 604_800_000, operator: "Or" },
            },
            imagesPerReference: { last: -1, inMs: 5_400_000, operator: "And" },
          },
          { references: { kind: "tag", source: "v1.0", pattern: expect.any(RegExp) as RegExp } },
        ],
      },
      deploy: {
        helmChartDir: "chart",
        appVersion: "1.0",
        helmRelease: "[[ project ]]",
        namespace: "[[ project ]]-[[ env ]]",
        helmReleaseSlug: false,
        namespaceSlug: true,
      },
      gitWorktree: { forceShallowClone: true, allowUnshallow: false, allowFetchOriginBranchesAndTags: true },
      images: [],
    });
    const [branches, tags] = config.cleanup.keepPolicies;
    expect(["main", "dev", "main2", "xdev"].map((name) => branches?.references.pattern.test(name))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(tags?.references.pattern.test("v1x0")).toBe(false);
  });

  it("gives Dockerfile images their defaults and inherited values", () => {
    const config = validate(`${project}build: {platform: [linux/arm64], cacheVersion: base}
--- # images
image: [group/backend, worker]
dockerfile: ../Dockerfile
context: ./src/
target: 1
args: {A: yes, B: 1.10, C: 0x10, D: "", E: 010, F: 12345678901234567890, G: 2024-01-02}
dependencies:
- image: base
  imports:
  - {type: ImageName, targetBuildArg: BASE}
  - {type: ImageDigest, targetBuildArg: BASE_DIGEST}
---
---
image: base
dockerfile: Dockerfile
platform: [linux/amd64]
cacheVersion: own
final: false
`);
    const backend: DockerfileImage = {
      kind: "dockerfile",
      name: "group/backend",
      line: 5,
      final: true,
      platform: ["linux/arm64"],
      cacheVersion: "base",
      dockerfile: "../Dockerfile",
      context: "src",
      target: "1",
      args: { A: "true", B: "1.1", C: "16", D: "", E: "8", F: "12345678901234567890", G: "2024-01-02" },
      dependencies: [
        {
          from: "base",
          imports: [
            { type: "ImageName", targetBuildArg: "BASE" },
            { type: "ImageDigest", targetBuildArg: "BASE_DIGEST" },
          ],
        },
      ],
      unsupported: [],
    };
    expect(config.images).toEqual([
      backend,
      { ...backend, name: "worker" },
      {
        kind: "dockerfile",
        name: "base",
        line: 17,
        final: false,
        platform: ["linux/amd64"],
        cacheVersion: "own",
        dockerfile: "Dockerfile",
        context: "",
        args: {},
        dependencies: [],
        unsupported: [],
      },
    ]);
  });

  it("understands anchors and merge keys", () => {
    const config = validate(`${project}---
image: a
dockerfile: D
args: &args {X: "1", Y: "2"}
---
image: b
dockerfile: D
args: &more
  <<: {X: "1"}
  Y: "3"
`);
    expect(config.images.map((image) => image.kind === "dockerfile" && image.args)).toEqual([
      { X: "1", Y: "2" },
      { X: "1", Y: "3" },
    ]);
  });

  it("accepts Stapel images and what they build on", () => {
    const config = validate(`${project}---
image: app
from: base
platform: [linux/amd64]
git: [{add: /, to: /app, stageDependencies: {install: ["*"]}}]
shell: {install: [make]}
import:
- {image: assets, add: /x, to: /y, after: install}
- {from: alpine, add: /z}
dependencies:
- {from: base, before: setup, imports: [{type: ImageTag, targetEnv: TAG}]}
mount: [{from: tmp_dir, to: /tmp}]
---
image: base
from: alpine:3
final: false
---
image: assets
fromImage: base
`);
    expect(
      config.images.map(({ kind, name, dependencies }) => [kind, name, ...dependencies.map((d) => d.from)]),
    ).toEqual([
      ["stapel", "app", "base", "assets"],
      ["stapel", "base"],
      ["stapel", "assets", "base"],
    ]);
  });

  it("lists what no engine carries out, with lines", () => {
    const config = validate(`${project}build:
  staged: true
  imageSpec: {author: me, config: {labels: {a: b}, removeLabels: [/x/], keepEssentialWerfLabels: true}}
---
image: a
dockerfile: D
addHost: "h:1.2.3.4"
network: host
ssh: default
contextAddFiles: [x]
secrets: [{env: TOKEN}, {src: ~/.netrc}, {id: k, value: v}]
imageSpec: {clearHistory: true, config: {env: {A: b}, cmd: [x], healthcheck: {test: [CMD, x], interval: 3}}}
---
image: b
dockerfile: D
staged: false
final: false
`);
    expect(config.images.map((image) => image.kind === "dockerfile" && image.unsupported)).toEqual([
      [
        { key: "addHost", line: 9 },
        { key: "network", line: 10 },
        { key: "ssh", line: 11 },
        { key: "contextAddFiles", line: 12 },
        { key: "secrets", line: 13 },
        { key: "imageSpec", line: 14 },
        { key: "build.staged", line: 4 },
        { key: "build.imageSpec", line: 5 },
      ],
      [],
    ]);
  });

  it("takes the project's name from WERF_PROJECT_NAME", () => {
    expect(validate(project, "other").project).toBe("other");
    expect(validate("configVersion: 1", "other").project).toBe("other");
    expect(validate(project, "").project).toBe("app");
    expect(() => validate(project, "No")).toThrow(
      'werf.yaml:2:10: "No" is no name of a project (from WERF_PROJECT_NAME)',
    );
  });
});

describe("circles of images", () => {
  const image = (name: string, ...on: string[]): string =>
    `---\nimage: ${name}\ndockerfile: D\ndependencies: [${on.map((from) => `{from: ${from}}`).join(", ")}]\n`;

  it.each([
    ["a -> a", image("a", "a")],
    ["b -> c -> b", image("a", "b") + image("b", "c") + image("c", "d", "b") + image("d")],
  ])("%s is refused", (circle, images) => {
    const error = failureOf(project + images);
    expect(error.code).toBe("config/cycle");
    expect(error.message).toMatch(new RegExp(`^werf\\.yaml:\\d+: images depend on each other: ${circle}$`));
  });

  it("are not seen in a diamond", () => {
    const text = project + image("a", "b", "c") + image("b", "d") + image("c", "d", "b") + image("d");
    expect(validate(text).images).toHaveLength(4);
  });
});

describe("hostile files", () => {
  it.each([
    ["flow lists", `a: ${"[".repeat(50_000)}`],
    ["block lists", "- ".repeat(50_000)],
    ["mappings", "{a: ".repeat(50_000)],
    ["keys", "? ".repeat(5_000)],
  ])("with %s within each other are refused", (_, text) => {
    expect(() => validate(text)).toThrow("nested deeper than 100");
  });

  it("can't multiply by aliases", () => {
    const dependency = `&d {from: b, imports: [${"*i, ".repeat(300)}]}`;
    const text = `${project}---
image: a
dockerfile: D
args: &x {}
dependencies:
- {from: b, imports: [&i {type: ImageTag, targetBuildArg: X}]}
- ${dependency}
${"- *d\n".repeat(300)}`;
    const started = performance.now();
    expect(failureOf(text).message).toContain("more than 10000 aliases are used");
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("can't reach the prototype of objects", () => {
    const config = validate(`${project}---\nimage: a\ndockerfile: D\nargs: {__proto__: x, constructor: z}`);
    const [image] = config.images;
    expect(image?.kind === "dockerfile" && Object.entries(image.args)).toEqual([
      ["__proto__", "x"],
      ["constructor", "z"],
    ]);
  });
});
