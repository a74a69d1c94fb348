import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkReportPath, writeReport } from "./report-file.js";

describe("a report's file", () => {
  let cwd: string;
  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), "werf-ts-report-"));
  });
  afterEach(() => rm(cwd, { recursive: true }));

  it("gets the first extension when it has none, and no strange one", async () => {
    expect(await checkReportPath({ cwd }, "report", [".json", ".env"])).toBe(join(cwd, "report.json"));
    expect(await checkReportPath({ cwd }, ".werf-build-report.env", [".json", ".env"])).toBe(
      join(cwd, ".werf-build-report.env"),
    );
    await expect(checkReportPath({ cwd }, "report.yaml", [".json"])).rejects.toMatchObject({
      code: "actions/report-path",
      exitCode: 2,
    });
  });

  it("is tried out before the work, without a trace", async () => {
    await checkReportPath({ cwd }, "r.json", [".json"]);
    expect(await readdir(cwd)).toEqual([]);
    await mkdir(join(cwd, "d.json"));
    const failure = { code: "actions/report-path" };
    await expect(checkReportPath({ cwd }, "d.json", [".json"])).rejects.toMatchObject(failure);
    await expect(checkReportPath({ cwd }, "no/r.json", [".json"])).rejects.toMatchObject(failure);
  });

  it("has mode 0644 and replaces one that is there", async () => {
    const file = join(cwd, "r.json");
    await writeReport(file, "one");
    await writeReport(file, "two");
    expect(await readFile(file, "utf8")).toBe("two");
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    expect(await readdir(cwd)).toEqual(["r.json"]);
  });
});
