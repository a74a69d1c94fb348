import { describe, expect, it } from "vitest";
import { resolveOptions } from "./resolve.js";
import { optionTable } from "./table.js";

describe("resolveOptions", () => {
  it("prefers the flag to the variable and the variable to the default", () => {
    expect(resolveOptions(["tag"], {}, {}).tag).toBe("latest");
    expect(resolveOptions(["tag"], {}, { WERF_TAG: "1" }).tag).toBe("1");
    expect(resolveOptions(["tag"], { tag: "2" }, { WERF_TAG: "1" }).tag).toBe("2");
  });

  it("takes an empty variable for one that isn't set", () => {
    expect(resolveOptions(["tag", "repo"], {}, { WERF_TAG: "", WERF_REPO: "" })).toEqual({
      tag: "latest",
      repo: undefined,
    });
  });

  it.each([
    ["1", true],
    ["true", true],
    ["yes", true],
    ["0", false],
    ["false", false],
    ["no", false],
    ["TRUE", true],
    ["2", true],
  ])("reads the boolean variable %j; what isn't one is the default", (text, expected) => {
    expect(resolveOptions(["parallel"], {}, { WERF_PARALLEL: text }).parallel).toBe(expected);
  });

  it("collects a list from all variables of its prefix, sorted, before the flags", () => {
    const env = {
      WERF_ADD_CUSTOM_TAG_10: "ten",
      WERF_ADD_CUSTOM_TAG_2: "two",
      WERF_ADD_CUSTOM_TAG_A: "",
      WERF_ADD_CUSTOM_TAG: "ignored",
    };
    expect(resolveOptions(["addCustomTag"], { addCustomTag: ["flag"] }, env).addCustomTag).toEqual([
      "ten",
      "two",
      "flag",
    ]);
  });

  it("takes a platform from a single variable unless flags or numbered variables name some", () => {
    const platforms = (env: Record<string, string>, ...platform: string[]): readonly string[] =>
      resolveOptions(["platform"], platform.length === 0 ? {} : { platform }, env).platform;
    const docker = { DOCKER_DEFAULT_PLATFORM: "linux/arm64" };
    expect(platforms(docker)).toEqual(["linux/arm64"]);
    expect(platforms({ ...docker, WERF_PLATFORM: "linux/386" })).toEqual(["linux/386"]);
    expect(platforms({ ...docker, WERF_PLATFORM_1: "linux/386" })).toEqual(["linux/386"]);
    expect(platforms({ ...docker, WERF_PLATFORM: "linux/386" }, "linux/amd64")).toEqual(["linux/amd64"]);
  });

  it("refuses a number that is none, naming where it came from", () => {
    expect(() => resolveOptions(["parallelTasksLimit"], {}, { WERF_PARALLEL_TASKS_LIMIT: "many" })).toThrow(
      "WERF_PARALLEL_TASKS_LIMIT",
    );
    expect(() => resolveOptions(["parallelTasksLimit"], { parallelTasksLimit: "1.5" }, {})).toThrow(
      "--parallel-tasks-limit",
    );
    expect(resolveOptions(["parallelTasksLimit"], { parallelTasksLimit: "0" }, {}).parallelTasksLimit).toBe(
      0,
    );
  });
});

it("names each flag and each variable once", () => {
  const flags = Object.values(optionTable).map(({ flag }) => flag);
  const variables = Object.values(optionTable).flatMap(({ env }) => env as readonly string[]);
  expect(new Set(flags).size).toBe(flags.length);
  expect(new Set(variables).size).toBe(variables.length);
});
