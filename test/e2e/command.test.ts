import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandTable } from "../../src/cli/commands/index.js";
import { version } from "../../src/core/version.js";
import { type CliResult, werf, werfProcess } from "../support/cli.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "werf-ts-command-"));
});
afterAll(() => rmSync(home, { recursive: true }));

const start = (...argv: string[]): Promise<CliResult> => werfProcess(argv, { cwd: home, home });
const call = (...argv: string[]): Promise<CliResult> => werf(argv, { cwd: home, home });

describe("the command as it is packed", () => {
  it("prints its version", async () => {
    expect(await start("version")).toEqual({ exitCode: 0, stdout: `v${version}\n`, stderr: "" });
  });

  it("says what is wrong and what to do, on stderr, with an exit code", async () => {
    const result = await start("build");
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(result.stderr).toMatch(/^Error: .* is not in a git work tree/);
  });
});

describe("the command line", () => {
  it.each(commandTable.map(({ path }) => path.join(" ")))("explains %s within 80 columns", async (path) => {
    const { exitCode, stdout, stderr } = await call(...path.split(" "), "--help");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const examples = stdout.indexOf("\nExamples:");
    const text = examples === -1 ? stdout : stdout.slice(0, examples);
    expect(text).toContain(`Usage: werf ${path}`);
    expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it.each([
    [["bild"], "Did you mean build?"],
    [["bundle", "pubish"], "Did you mean publish?"],
    [["build", "--rep", "x"], "Did you mean --repo?"],
    [["build", "--parallel-tasks-limit", "many"], "is not a whole number"],
    [["build", "--repo", "https://registry.example/app"], "has no scheme"],
    [["registry", "serve", "--listen", "somewhere"], "is not HOST:PORT"],
    [["cleanup"], "--repo=ADDRESS is required"],
    [["purge"], "--repo=ADDRESS is required"],
    [["bundle", "copy", "--from", "registry.example/app"], "--to is missing"],
    [["bundle", "publish"], "--repo=ADDRESS is required"],
  ])("answers %j with exit code 2 and a way out", async (argv, message) => {
    const { exitCode, stdout, stderr } = await call(...argv);
    // The address is looked at before the project, so that a wrong one is told without one.
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(message);
  });

  it("takes --flag=false and --no-flag for the same", async () => {
    for (const flag of ["--parallel=false", "--no-parallel"]) {
      expect((await call("build", flag)).stderr).toContain("is not in a git work tree");
    }
  });

  it("shows causes and codes with --log-debug only", async () => {
    expect((await call("build")).stderr).not.toContain("git/not-a-repository");
    expect((await call("build", "--log-debug")).stderr).toContain("code: git/not-a-repository");
  });
});
