import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cleanupConfig, commitOf, shop } from "../../../test/support/cleanup-facts.js";
import { parseMaxDelete } from "../evidence.js";
import { planCleanup } from "../planner.js";
import { parseKeepList } from "../policies/keep-list.js";
import { cleanupReport } from "./report.js";
import { checkReportFile, reportPath, saveReport } from "./report-file.js";

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

describe("the report's file", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "werf-ts-report-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("gets .json when it has no extension, and no other", () => {
    expect(reportPath({ cwd: "/p" }, "report")).toBe("/p/report.json");
    expect(reportPath({ cwd: "/p" }, ".werf-cleanup-report.json")).toBe("/p/.werf-cleanup-report.json");
    expect(() => reportPath({ cwd: "/p" }, "report.yaml")).toThrow(
      expect.objectContaining({ code: "cleanup/report-path" }),
    );
  });

  it("is tab-indented, ends in a newline, has mode 0644 and replaces one that is there", async () => {
    const file = join(directory, "r.json");
    await saveReport(file, cleanupReport(plan));
    await saveReport(file, { ...cleanupReport(plan), repo: "other" });
    const text = await readFile(file, "utf8");
    expect(text.startsWith('{\n\t"command": "cleanup",\n')).toBe(true);
    expect(text.endsWith("}\n")).toBe(true);
    expect(JSON.parse(text).repo).toBe("other");
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    expect(await readdir(directory)).toEqual(["r.json"]);
  });

  it("is tried out before, without a trace", async () => {
    await checkReportFile(join(directory, "r.json"));
    expect(await readdir(directory)).toEqual([]);
    await mkdir(join(directory, "d.json"));
    const failure = { code: "cleanup/report-file" };
    await expect(checkReportFile(join(directory, "d.json"))).rejects.toMatchObject(failure);
    await expect(checkReportFile(join(directory, "no", "r.json"))).rejects.toMatchObject(failure);
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
