import { describe, expect, it } from "vitest";
import { cleanupConfig, commitOf, shop } from "../../../test/support/cleanup-facts.js";
import { parseMaxDelete } from "../evidence.js";
import { planCleanup } from "../planner.js";
import { parseKeepList } from "../policies/keep-list.js";
import { cleanupReport } from "./report.js";

const world = shop();
const kept = world.primary.stage("kept");
world.primary.meta("app", "head", kept);
const gone = world.primary.stage("gone");
world.primary.meta("app", "elsewhere", gone);
world.primary.meta("forgotten", "elsewhere", gone);
world.primary.tag("v1", world.primary.digest(kept));
const plan = planCleanup(world.facts(), cleanupConfig);

describe("cleanupReport", () => {
  it("of a dry run has werf's fields: what is kept with its reason, what goes without", () => {
    const report = cleanupReport(plan);
    expect(report).toMatchObject({ command: "cleanup", dryRun: true, repo: "registry.test/shop" });
    expect(report).not.toHaveProperty("finalRepo");
    expect(report.kept).toEqual([
      expect.objectContaining({ type: "stage", tag: kept, reason: "git policy" }),
    ]);
    expect(report.deleted[0]).toMatchObject({ type: "stage", tag: gone });
    expect(report.deleted[0]).not.toHaveProperty("reason");
    const commit = commitOf("elsewhere");
    expect(report.deleted.slice(1)).toMatchObject([
      { type: "imageMetadata", imageName: "app", stageID: gone, commit },
      { type: "imageMetadata", id: expect.stringMatching(/^[0-9a-f]+$/), stageID: gone, commit },
    ]);
    expect(report.deleted[1]).not.toHaveProperty("tag");
  });

  it("of a run counts only what really went", () => {
    const lines = plan.lines.map((line) => {
      if (line.decision === "keep") return { line, result: "kept" as const };
      return line.tag === gone
        ? { line, result: "kept" as const, reason: "the registry refuses: immutable (no)" }
        : { line, result: "failed" as const, reason: "no answer" };
    });
    const report = cleanupReport(plan, { kind: "done", lines, broken: ["x"], success: false });
    expect(report.dryRun).toBe(false);
    expect(report.deleted).toEqual([]);
    expect(report.kept).toContainEqual(
      expect.objectContaining({ tag: gone, reason: expect.stringContaining("immutable") }),
    );
    expect(report.failed).toHaveLength(2);
    expect(report.broken).toEqual(["x"]);
  });
});

describe("options", () => {
  it("reads --max-delete as a number or a share", () => {
    expect(parseMaxDelete("50")).toEqual({ kind: "count", count: 50 });
    expect(parseMaxDelete("80%")).toEqual({ kind: "percent", percent: 80 });
    for (const text of ["", "many", "-1", "101%", "5 %"]) {
      expect(() => parseMaxDelete(text)).toThrow(
        expect.objectContaining({ code: "cleanup/max-delete", exitCode: 2 }),
      );
    }
  });

  it("reads a keep list line by line, and names the line that is no tag", () => {
    expect(parseKeepList("a\n\n  b \r\nv1.0\n", "list")).toEqual(["a", "b", "v1.0"]);
    expect(() => parseKeepList("a\na b!\n", "list")).toThrow(/list, line 2/);
  });
});
