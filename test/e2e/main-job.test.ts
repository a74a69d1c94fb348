import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, werf } from "../support/cli.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import {
  isMissing,
  requirePeer,
  startDockerRegistry,
  startEmbedded,
  type TestRegistry,
} from "../support/registries.js";
import { copyTag, readTags, registryTags } from "../support/tags.js";

const skopeo = requirePeer("skopeo");

/** Not `execFileSync`: the embedded registry answers from this very process. */
async function runSkopeo(...args: string[]): Promise<string> {
  return (await promisify(execFile)(skopeo ?? "skopeo", args)).stdout;
}

const peer = requirePeer("docker-registry");

describe.each([
  { kind: "embedded registry", start: startEmbedded, present: true },
  peer === undefined
    ? { kind: "docker-registry (not installed)", start: startDockerRegistry, present: false }
    : { kind: "docker-registry", start: startDockerRegistry, present: true },
])("the main job against the $kind", ({ kind, start, present }) => {
  let registry: TestRegistry;
  let second: TestRegistry;
  const projects: TestProject[] = [];
  let repositories = 0;

  beforeAll(async () => {
    if (!present) return;
    const started = await Promise.all([start(), start()]);
    [registry, second] = started.map((peer) => {
      if (isMissing(peer)) throw new Error(peer.missing);
      return peer;
    }) as [TestRegistry, TestRegistry];
  });
  afterAll(async () => {
    if (present) await Promise.all([registry.stop(), second.stop()]);
  });
  afterEach(() => {
    for (const project of projects.splice(0)) project.dispose();
  });

  function shop(files: Readonly<Record<string, string>> = shopFiles): TestProject {
    const project = testProject(files);
    projects.push(project);
    project.commit("first");
    project.push("main");
    return project;
  }
  const repository = (): string => `${registry.host}/e2e/shop-${++repositories}`;
  const run = (project: TestProject, ...argv: string[]): Promise<CliResult> =>
    werf(argv, { cwd: project.directory, home: project.home });
  async function ok(project: TestProject, ...argv: string[]): Promise<CliResult> {
    const result = await run(project, ...argv);
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    return result;
  }

  it.skipIf(!present)("builds, and builds nothing the second time", async () => {
    const project = shop();
    const repo = repository();
    await ok(project, "build", "--repo", repo);
    const first = await registryTags(repo);
    expect(readTags(first)).toMatchObject({ stages: 2, meta: 2, managed: ["backend", "base"] });
    const again = await ok(project, "build", "--repo", repo);
    expect(again.stderr).toContain("backend is there already");
    expect(await registryTags(repo)).toEqual(first);
  });

  it.skipIf(!present || skopeo === undefined)("pushes what skopeo inspects, copies and syncs", async () => {
    const project = shop();
    const repo = repository();
    await ok(project, "build", "--repo", repo, "--platform", "linux/amd64", "--platform", "linux/arm64");
    await ok(
      project,
      "bundle",
      "publish",
      "--repo",
      repo,
      "--tag",
      "1.0.0",
      "--platform",
      "linux/amd64",
      "--platform",
      "linux/arm64",
    );
    for (const tag of await registryTags(repo)) {
      await runSkopeo("inspect", "--raw", "--tls-verify=false", `docker://${repo}:${tag}`);
    }
    const copied = `${second.host}/skopeo/shop`;
    const index = (await registryTags(repo)).find((tag) => /^[0-9a-f]{56}$/.test(tag));
    await runSkopeo(
      "copy",
      "--all",
      "--preserve-digests",
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      `docker://${repo}:${index}`,
      `docker://${copied}:${index}`,
    );
    await runSkopeo(
      "sync",
      "--all",
      "--src",
      "docker",
      "--dest",
      "dir",
      "--src-tls-verify=false",
      repo,
      join(project.base, "synced"),
    );
    expect(existsSync(join(project.base, "synced"))).toBe(true);
  });

  it.skipIf(!present)(
    "publishes the same bundle for the same commit, and copies it to a registry, a file and back",
    async () => {
      const project = shop();
      const repo = repository();
      const published = await ok(project, "bundle", "publish", "--repo", repo, "--tag", "1.0.0");
      project.write(".helm/values.yaml", "replicas: 7\n");
      const again = await ok(project, "bundle", "publish", "--repo", repo, "--tag", "1.0.0");
      expect(again.stdout).toBe(published.stdout);
      expect(again.stderr).toContain(
        "the chart is published without 1 uncommitted change: .helm/values.yaml",
      );
      const archive = join(project.base, "shop.tar");
      await ok(project, "bundle", "copy", "--from", `${repo}:1.0.0`, "--to", `archive:${archive}`);
      const target = `${second.host}/prod/shop-${repositories}`;
      await ok(project, "bundle", "copy", "--from", `archive:${archive}`, "--to", `${target}:1.0.0`);
      const direct = `${second.host}/direct/shop-${repositories}`;
      await ok(project, "bundle", "copy", "--from", `${repo}:1.0.0`, "--to", `${direct}:1.0.0`);
      const tags = await registryTags(target);
      expect(tags).toEqual(await registryTags(direct));
      expect(tags).toContain("1.0.0");
      expect(readTags(tags).stages).toBe(1);
      if (skopeo !== undefined) {
        const stage = tags.find((tag) => tag !== "1.0.0");
        const inArchive = await runSkopeo("inspect", "--raw", `oci-archive:${archive}:${stage}`);
        expect(inArchive).toBe(
          await runSkopeo("inspect", "--raw", "--tls-verify=false", `docker://${repo}:${stage}`),
        );
      }
    },
  );

  it.skipIf(!present)(
    "cleans up what no branch, tag, bundle or rule needs, after a dry run that changes nothing",
    async () => {
      const project = shop();
      const repo = repository();
      await ok(project, "build", "--repo", repo);
      await ok(project, "bundle", "publish", "--repo", repo, "--tag", "0.9.0");
      project.git("checkout", "-q", "-b", "gone");
      project.write("backend/app.txt", "version on a branch\n");
      project.commit("on a branch");
      await ok(project, "build", "--repo", repo);
      project.git("checkout", "-q", "main");
      project.git("branch", "-q", "-D", "gone");
      const before = await registryTags(repo);
      expect(readTags(before).stages).toBe(3);
      const options = ["--repo", repo, "--without-kube", "--keep-stages-built-within-last-n-hours", "0"];
      await ok(project, "cleanup", ...options, "--dry-run");
      expect(await registryTags(repo)).toEqual(before);
      await ok(project, "cleanup", ...options, "--save-cleanup-report");
      const after = await registryTags(repo);
      expect(readTags(after).stages).toBe(2);
      expect(after).toContain("0.9.0");
      const report = JSON.parse(readFileSync(join(project.directory, ".werf-cleanup-report.json"), "utf8"));
      expect(report).toMatchObject({ command: "cleanup", dryRun: false, repo });
      expect(report.deleted.filter((item: { type: string }) => item.type === "stage")).toHaveLength(1);
    },
  );

  it.skipIf(!present)("purges this project's objects and leaves other tags", async () => {
    const project = shop();
    const repo = repository();
    await ok(project, "build", "--repo", repo, "--add-custom-tag", "%image%-main");
    await copyTag(repo, "backend-main", "somebody-elses");
    await ok(project, "purge", "--repo", repo, "--dry-run");
    expect(readTags(await registryTags(repo)).stages).toBe(2);
    await ok(project, "purge", "--repo", repo);
    // A tag that werf didn't make keeps its manifest, and the stage that this is based on; werf's own tag goes,
    // where the registry can remove one tag of several.
    const alias = kind === "embedded registry" ? [] : ["backend-main", "custom-tag-meta-backend-main"];
    const after = readTags(await registryTags(repo));
    expect(after).toMatchObject({ stages: 1, meta: 0, managed: [], others: [...alias, "somebody-elses"] });
    const kept = await fetch(`http://${repo.replace("/", "/v2/")}/manifests/somebody-elses`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    expect(kept.status).toBe(200);
  });

  it.skipIf(!present)("purges everything when nobody else has tags there", async () => {
    const project = shop();
    const repo = repository();
    await ok(project, "build", "--repo", repo, "--add-custom-tag", "%image%-main");
    await ok(project, "purge", "--repo", repo);
    expect(await registryTags(repo)).toEqual([]);
  });

  it.skipIf(!present)("keeps the images of a published bundle in a purge, and says so", async () => {
    const project = shop();
    const repo = repository();
    await ok(project, "bundle", "publish", "--repo", repo, "--tag", "1.0.0");
    const { stdout } = await ok(project, "purge", "--repo", repo);
    expect(stdout).toContain("bundle");
    expect(readTags(await registryTags(repo))).toMatchObject({ stages: 2, meta: 0, others: ["1.0.0"] });
  });
});
