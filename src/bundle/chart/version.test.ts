import { describe, expect, it } from "vitest";
import { bundleTag, chartVersion, normalizeVersion } from "./version.js";

describe("chartVersion", () => {
  it.each([
    ["v1.0.0", "1.0.0"],
    ["1.2", "1.2.0"],
    ["3", "3.0.0"],
    ["1.2.3-rc.1", "1.2.3-rc.1"],
    ["1.2.3_build.7", "1.2.3+build.7"],
    ["007", "7.0.0"],
    ["latest", "0.0.0-1700000000-latest"],
    ["My_Branch.ABC", "0.0.0-1700000000-my-branch-abc"],
    ["1.2.3.4", "0.0.0-1700000000-1-2-3-4"],
    ["1.0.0-01", "0.0.0-1700000000-1-0-0-01"],
    ["99999999999999999999999", "0.0.0-1700000000-99999999999999999999999"],
    ["_", "0.0.0-1700000000"],
  ])("of the tag %s is %s", (tag, version) => {
    const made = chartVersion(tag, 1_700_000_000);
    expect(made).toBe(version);
    expect(normalizeVersion(made)).toBe(made);
  });

  it("maps + to _ as Helm does", () => {
    expect(bundleTag("1.0.0+a")).toBe("1.0.0_a");
    expect(chartVersion(bundleTag("1.0.0+a"), 0)).toBe("1.0.0+a");
  });
});
