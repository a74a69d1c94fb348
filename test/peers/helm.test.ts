import { type ChildProcess, execFile } from "node:child_process";
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { werf } from "../support/cli.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { startEmbedded, type TestRegistry } from "../support/registries.js";

/** Not `requirePeer`: no Debian package has Helm, so that it may be missing with CI=true, too. */
const helm = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((directory) => join(directory, "helm"))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

const title = `bundles in stock Helm${helm === undefined ? " (skipped: helm is not on PATH)" : ""}`;

describe.skipIf(helm === undefined)(title, () => {
  let registry: TestRegistry;
  let project: TestProject;
  let directory: string;

  beforeAll(async () => {
    registry = await startEmbedded();
    project = testProject(shopFiles);
    project.commit("first");
    directory = await mkdtemp(join(tmpdir(), "werf-ts-helm-"));
  });
  afterAll(async () => {
    project.dispose();
    await Promise.all([registry.stop(), rm(directory, { recursive: true, force: true })]);
  });

  /** Helm as a process; its answer is what it prints. */
  async function runHelm(...args: string[]): Promise<string> {
    const env = {
      PATH: process.env["PATH"],
      HOME: directory,
      HELM_CACHE_HOME: join(directory, "cache"),
      HELM_CONFIG_HOME: join(directory, "config"),
      HELM_DATA_HOME: join(directory, "data"),
    };
    const call: Promise<{ stdout: string; stderr: string }> & { child: ChildProcess } = promisify(execFile)(
      helm ?? "helm",
      args,
      { env, cwd: directory },
    );
    const { stdout, stderr } = await call;
    return stdout + stderr;
  }

  /** Publishes the commit's bundle. */
  async function publish(name: string, ...options: string[]): Promise<{ repo: string; digest: string }> {
    const repo = `${registry.host}/demo/${name}`;
    const result = await werf(["bundle", "publish", "--repo", repo, ...options], {
      cwd: project.directory,
      home: project.home,
    });
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    return { repo, digest: /@(sha256:[0-9a-f]{64})/.exec(result.stdout)?.[1] ?? "" };
  }

  async function pulled(name: string, ...args: string[]): Promise<string> {
    const target = join(directory, name);
    await mkdir(target);
    await runHelm("pull", ...args, "--plain-http", "--destination", target);
    const [file = ""] = readdirSync(target);
    return join(target, file);
  }

  it("pulls by version and by digest the same bytes, and renders the images' addresses", async () => {
    const { repo, digest } = await publish("shop", "--tag", "1.0.0");
    const byVersion = await pulled("by-version", `oci://${repo}`, "--version", "1.0.0");
    const byDigest = await pulled("by-digest", `oci://${repo}@${digest}`);
    expect(readFileSync(byDigest).equals(readFileSync(byVersion))).toBe(true);
    const rendered = await runHelm("template", "release", byVersion);
    expect(rendered).toMatch(new RegExp(`image: ${repo}:[0-9a-f]{56}-[0-9]{13}\n`));
  });

  it("finds the newest version of a range", async () => {
    const { repo } = await publish("ranges", "--tag", "1.0.0");
    await publish("ranges", "--tag", "1.1.0");
    await publish("ranges", "--tag", "main");
    expect(await runHelm("show", "chart", `oci://${repo}`, "--version", "^1", "--plain-http")).toContain(
      "version: 1.1.0",
    );
  });

  it("writes the + of a version as Helm does", async () => {
    const { repo } = await publish("plus", "--tag", "1.0.0+build.7");
    const shown = await runHelm(
      "show",
      "chart",
      `oci://${repo}`,
      "--version",
      "1.0.0+build.7",
      "--plain-http",
    );
    expect(shown).toContain("version: 1.0.0+build.7");
  });

  it.each([
    { options: [], name: "shop" },
    { options: ["--helm-compatible-chart"], name: "store" },
    { options: ["--rename-chart", "other"], name: "other" },
  ])("shows the chart's name with $options in a repository of another name", async ({ options, name }) => {
    const { repo } = await publish("store", "--tag", "2.0.0", ...options);
    const shown = await runHelm("show", "chart", `oci://${repo}`, "--version", "2.0.0", "--plain-http");
    expect(shown).toContain(`\nname: ${name}\n`);
  });

  it("takes a bundle as a dependency, whose templates see its own images", async () => {
    const { repo } = await publish("part", "--tag", "1.0.0", "--helm-compatible-chart");
    const umbrella = join(directory, "umbrella");
    await mkdir(umbrella);
    await writeFile(
      join(umbrella, "Chart.yaml"),
      `apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n  - name: part\n    version: 1.0.0\n    repository: oci://${registry.host}/demo\n`,
    );
    await runHelm("dependency", "update", umbrella, "--plain-http");
    expect(await runHelm("template", "release", umbrella)).toContain(`image: ${repo}:`);
  });

  it("installs a copy with the addresses of its new place", async () => {
    const { repo } = await publish("source", "--tag", "1.0.0");
    const target = `${registry.host}/prod/target`;
    const copied = await werf(["bundle", "copy", "--from", `${repo}:1.0.0`, "--to", `${target}:1.0.0`], {
      cwd: project.directory,
      home: project.home,
    });
    expect(copied, copied.stderr).toMatchObject({ exitCode: 0 });
    const rendered = await runHelm(
      "template",
      "release",
      `oci://${target}`,
      "--version",
      "1.0.0",
      "--plain-http",
    );
    expect(rendered).toContain(`image: ${target}:`);
    expect(rendered).not.toContain(repo);
  });
});
