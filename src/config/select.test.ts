import { describe, expect, it } from "vitest";
import { isWerfError } from "../core/errors.js";
import type { ImageSpec } from "./model.js";
import { chosenImages, dependencyLevels, selectImages } from "./select.js";
import { validateConfig } from "./validate/config-file.js";

const config = validateConfig(
  "werf.yaml",
  `configVersion: 1
project: app
---
image: web
dockerfile: D
dependencies: [{from: assets}, {from: base}]
---
image: [api/v1, api/v2]
dockerfile: D
dependencies: [{from: base}]
---
image: assets
dockerfile: D
final: false
dependencies: [{from: base}]
---
image: base
dockerfile: D
final: false
---
image: tool
dockerfile: D
final: false
`,
);
const names = (images: readonly ImageSpec[]): string[] => images.map(({ name }) => name);

describe("selectImages", () => {
  it.each<[string[], boolean, string[]]>([
    [[], true, ["base", "assets", "web", "api/v1", "api/v2"]],
    [[], false, ["base", "assets", "web", "api/v1", "api/v2", "tool"]],
    [["web"], true, ["base", "assets", "web"]],
    [["tool"], true, ["tool"]],
    [["api/*"], true, ["base", "api/v1", "api/v2"]],
    [["*"], true, ["base", "assets", "web"]],
    [["*"], false, ["base", "assets", "web", "tool"]],
    [["!api/*"], true, ["base", "assets", "web"]],
    [["api/*", "!api/v2"], true, ["base", "api/v1"]],
    [["web", "!base"], true, ["base", "assets", "web"]],
    [["api/v2", "web"], true, ["base", "assets", "web", "api/v2"]],
  ])("%j, final only %s", (patterns, finalOnly, expected) => {
    expect(names(selectImages(config, patterns, { finalOnly }))).toEqual(expected);
  });

  it.each([
    ["asets", 'no image of werf.yaml is called "asets"; did you mean "assets"?'],
    ["x*", 'no image of werf.yaml is called "x*"'],
    ["!nope", 'no image of werf.yaml is called "nope"'],
  ])("refuses %s and tells what there is", (pattern, message) => {
    try {
      selectImages(config, [pattern], { finalOnly: true });
      expect.unreachable();
    } catch (error) {
      if (!isWerfError(error)) throw error;
      expect(error).toMatchObject({ code: "config/no-such-image", exitCode: 2, message });
      expect(error.hint).toBe("there are: web, api/v1, api/v2, assets, base, tool");
    }
  });

  it("tells what was chosen and what only comes along", () => {
    expect(names(chosenImages(config, ["api/v2", "web"], { finalOnly: true }))).toEqual(["web", "api/v2"]);
  });
});

describe("dependencyLevels", () => {
  it("groups what can be built at the same time", () => {
    const all = selectImages(config, [], { finalOnly: false });
    expect(dependencyLevels(all).map(names)).toEqual([
      ["base", "tool"],
      ["assets", "api/v1", "api/v2"],
      ["web"],
    ]);
  });

  it("doesn't mind the order of its images, or that some are missing", () => {
    const [web, , , assets] = config.images;
    expect(dependencyLevels([web!, assets!]).map(names)).toEqual([["assets"], ["web"]]);
    expect(dependencyLevels([])).toEqual([]);
  });

  it("orders a chain of thousands of images", () => {
    const chain = Array.from(
      { length: 5_000 },
      (_, i): ImageSpec => ({
        ...config.images[0]!,
        name: `i${i}`,
        dependencies: i === 0 ? [] : [{ from: `i${i - 1}`, imports: [] }],
      }),
    );
    expect(dependencyLevels(chain.toReversed())).toHaveLength(5_000);
  });
});
