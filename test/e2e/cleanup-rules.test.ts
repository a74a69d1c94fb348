import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, cleanupOf, werf } from "../support/cli.js";
import { type Gate, startGate } from "../support/gate.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import {
  isMissing,
  requirePeer,
  startDockerRegistry,
  startEmbedded,
  type TestRegistry,
} from "../support/registries.js";
import { copyTag, digestOfTag, pushArtifact, registryTags } from "../support/tags.js";

const helmChart = "application/vnd.cncf.helm.config.v1+json";

/** The rules of deletion through the command line, where deleting one tag is easy and where it is not. */
describe.each([
  { kind: "embedded registry", start: startEmbedded, present: true },
  {
    kind: "docker-registry",
    start: startDockerRegistry,
    present: requirePeer("docker-registry") !== undefined,
  },
])("the rules of deletion at the $kind", ({ kind, start, present }) => {
  let registry: TestRegistry;
  let gate: Gate;
  let repositories = 0;
  const projects: TestProject[] = [];

  beforeAll(async () => {
    if (!present) return;
    const started = await start();
    if (isMissing(started)) throw new Error(started.missing);
    registry = started;
    gate = await startGate(registry.host);
  });
  afterAll(async () => {
    if (!present) return;
    await gate.stop();
    await registry.stop();
  });
  afterEach(() => {
    for (const project of projects.splice(0)) project.dispose();
  });

  const repository = (): string => `${gate.host}/rules/shop-${++repositories}`;
  const run = (project: TestProject, argv: readonly string[], path?: string): Promise<CliResult> =>
    werf(argv, {
      cwd: project.directory,
      home: project.home,
      ...(path === undefined ? {} : { env: { PATH: `${path}:${process.env["PATH"]}` } }),
    });
  async function ok(project: TestProject, ...argv: string[]): Promise<CliResult> {
    const result = await run(project, argv);
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    return result;
  }

  function shop(name = "shop"): TestProject {
    const werfYaml = (shopFiles["werf.yaml"] ?? "").replace("project: shop", `project: ${name}`);
    const project = testProject({ ...shopFiles, "werf.yaml": werfYaml });
    projects.push(project);
    project.commit("first");
    project.push("main");
    return project;
  }

  /** Builds main, and a branch that is deleted again; gives the backend's stages of both. */
  async function worldWithGarbage(
    repo: string,
    ...options: string[]
  ): Promise<{ project: TestProject; kept: string; gone: string; goneCommit: string }> {
    const project = shop();
    await ok(project, "build", "--repo", repo);
    const before = await registryTags(repo);
    project.git("checkout", "-q", "-b", "gone");
    project.write("backend/app.txt", "version on a branch\n");
    const goneCommit = project.commit("on a branch");
    await ok(project, "build", "--repo", repo, ...options);
    project.git("checkout", "-q", "main");
    project.git("branch", "-q", "-D", "gone");
    const isStage = (tag: string): boolean => /^[0-9a-f]{56}-\d{13}$/.test(tag);
    const gone = (await registryTags(repo)).find((tag) => isStage(tag) && !before.includes(tag)) ?? "";
    const kept = before.find(isStage) ?? "";
    expect([kept, gone]).not.toContain("");
    return { project, kept, gone, goneCommit };
  }

  it.skipIf(!present)("a dry run reads, and nothing else", async () => {
    const repo = repository();
    const { project, gone } = await worldWithGarbage(repo);
    await copyTag(repo, gone, "prod");
    gate.reset();
    const { stdout } = await ok(project, ...cleanupOf(repo, "--dry-run"));
    expect(stdout).toContain(`would delete stage ${gone}`);
    expect(stdout).toContain("only a run finds out");
    expect(new Set(gate.seen.map(({ method }) => method))).toEqual(new Set(["GET", "HEAD"]));
  });

  it.skipIf(!present)("one of two tags of a manifest goes, the other stays as it is", async () => {
    const repo = repository();
    const { project, gone } = await worldWithGarbage(repo);
    await copyTag(repo, gone, "prod");
    const digest = await digestOfTag(repo, "prod");
    gate.reset();
    await ok(project, ...cleanupOf(repo));
    expect(await registryTags(repo)).not.toContain(gone);
    expect(await digestOfTag(repo, "prod")).toBe(digest);
    if (kind !== "docker-registry") return;
    // The mark comes before the throw-away manifest and goes after it.
    const of = (part: string): string[] =>
      gate.seen
        .filter(({ method, path }) => (method === "PUT" || method === "DELETE") && path.includes(part))
        .map(({ method, path }) => `${method} ${path.slice(path.lastIndexOf("/") + 1)}`);
    const changes = of("/manifests/");
    const mark = changes.indexOf(`PUT ${gone}-rejected`);
    expect(mark).toBeGreaterThan(-1);
    expect(changes[mark + 1]).toBe(`PUT ${gone}`);
    expect(changes[mark + 2]).toMatch(/^DELETE sha256:/);
    expect(changes[mark + 3]).toMatch(/^DELETE sha256:/);
    expect((await registryTags(repo)).filter((tag) => tag.endsWith("-rejected"))).toEqual([]);
    for (const change of [changes[mark + 2], changes[mark + 3]]) {
      expect(await digestOfTag(repo, change?.slice("DELETE ".length) ?? "")).toBeUndefined();
    }
  });

  it.skipIf(!present)("another project's images stay, by cleanup and by purge", async () => {
    const repo = repository();
    const other = shop("another");
    other.write("backend/app.txt", "of another project\n");
    other.commit("theirs");
    await ok(other, "build", "--repo", repo, "--add-custom-tag", "theirs-%image%");
    const theirs = await registryTags(repo);
    const { project } = await worldWithGarbage(repo);
    await ok(project, ...cleanupOf(repo));
    expect(await registryTags(repo)).toEqual(expect.arrayContaining(theirs));
    await ok(project, "purge", "--repo", repo);
    // As with werf, the record of the last cleanup stays.
    expect(await registryTags(repo)).toEqual([...theirs, "cleanup"].sort());
  });

  it.skipIf(!present)("a custom tag goes with its stage, but not one that somebody moved", async () => {
    const repo = repository();
    const { project, kept, gone } = await worldWithGarbage(
      repo,
      "--add-custom-tag",
      "%image%-gone",
      "--add-custom-tag",
      "%image%-moved",
    );
    await copyTag(repo, kept, "backend-moved");
    await ok(project, ...cleanupOf(repo));
    const after = await registryTags(repo);
    expect(after).toContain("backend-moved");
    expect(await digestOfTag(repo, "backend-moved")).toBe(await digestOfTag(repo, kept));
    for (const tag of [gone, "backend-gone"]) expect(after).not.toContain(tag);
    expect(after.filter((tag) => tag.startsWith("custom-tag-meta-"))).toEqual([]);
  });

  it.skipIf(!present)("a signature stays with its image and goes with it", async () => {
    const repo = repository();
    const { project, kept, gone } = await worldWithGarbage(repo);
    const signature = async (stage: string): Promise<string> =>
      `${(await digestOfTag(repo, stage))?.replace(":", "-")}.sig`;
    const [ofKept, ofGone] = [await signature(kept), await signature(gone)];
    await pushArtifact(repo, ofKept, "application/vnd.oci.image.config.v1+json", { n: 1 });
    await pushArtifact(repo, ofGone, "application/vnd.oci.image.config.v1+json", { n: 2 });
    await ok(project, ...cleanupOf(repo));
    const after = await registryTags(repo);
    expect(after).toContain(ofKept);
    expect(after).not.toContain(ofGone);
  });

  it.skipIf(!present)(
    "a bundle whose branch is gone keeps its images; one that can't be read stops",
    async () => {
      const repo = repository();
      const { project, gone, goneCommit } = await worldWithGarbage(repo);
      project.git("checkout", "-q", goneCommit);
      await ok(project, "bundle", "publish", "--repo", repo, "--tag", "1.0.0");
      project.git("checkout", "-q", "main");
      const { stdout } = await ok(project, ...cleanupOf(repo));
      expect(stdout).toContain(`keep stage ${gone}: published in a bundle`);
      expect(await registryTags(repo)).toContain(gone);

      await pushArtifact(repo, "2.0.0", helmChart, { name: "shop" });
      const before = await registryTags(repo);
      for (const argv of [cleanupOf(repo), cleanupOf(repo, "--dry-run"), ["purge", "--repo", repo]]) {
        const stopped = await run(project, argv);
        expect(stopped.exitCode).toBe(1);
        expect(stopped.stderr).toContain(`${repo}:2.0.0 can't be read`);
      }
      expect(await registryTags(repo)).toEqual(before);
    },
  );

  it.skipIf(!present)("a repository that the registry doesn't show is not an empty one", async () => {
    const repo = repository();
    const { project } = await worldWithGarbage(repo);
    const before = await registryTags(repo);
    const nowhere = `${gate.host}/rules/nowhere`;
    for (const argv of [cleanupOf(nowhere), cleanupOf(repo, "--final-repo", nowhere)]) {
      const stopped = await run(project, argv);
      expect(stopped.exitCode).toBe(1);
      expect(stopped.stderr).toContain(`doesn't know ${nowhere}`);
    }
    expect(await registryTags(repo)).toEqual(before);
    await ok(project, "purge", "--repo", nowhere);
  });

  it.skipIf(!present)("a shallow clone is no evidence", async () => {
    const repo = repository();
    const { project } = await worldWithGarbage(repo);
    const before = await registryTags(repo);
    const clone = join(project.base, "shallow");
    project.git(
      "clone",
      "-q",
      "--depth",
      "1",
      "--branch",
      "main",
      `file://${join(project.base, "origin.git")}`,
      clone,
    );
    writeFileSync(
      join(clone, "werf.yaml"),
      `${shopFiles["werf.yaml"]}`.replace(
        "configVersion: 1\n",
        "configVersion: 1\ngitWorktree:\n  allowUnshallow: false\n",
      ),
    );
    project.git(
      "-C",
      clone,
      "-c",
      "user.name=T",
      "-c",
      "user.email=t@example.invalid",
      "commit",
      "-qam",
      "x",
    );
    const stopped = await run({ ...project, directory: clone }, cleanupOf(repo));
    expect(stopped.exitCode).toBe(1);
    expect(stopped.stderr).toContain("shallow");
    expect(await registryTags(repo)).toEqual(before);
  });

  it.skipIf(!present)(
    "a branch that comes back right before the first deletion keeps its images",
    async () => {
      const repo = repository();
      const { project, gone, goneCommit } = await worldWithGarbage(repo);
      const bin = join(project.base, "bin");
      const came = join(project.base, "came");
      mkdirSync(bin);
      // The git that asks origin for its heads finds that somebody has just pushed one.
      writeFileSync(
        join(bin, "git"),
        `#!/bin/sh
PATH='${process.env["PATH"]}'
case " $* " in *" ls-remote "*)
  [ -e '${came}' ] || { git -C '${project.directory}' push -q origin ${goneCommit}:refs/heads/back && : >'${came}'; } ;;
esac
exec git "$@"
`,
      );
      chmodSync(join(bin, "git"), 0o755);
      const result = await run(project, cleanupOf(repo), bin);
      expect(result, result.stderr).toMatchObject({ exitCode: 0 });
      expect(result.stdout).toContain(`keep stage ${gone}: git policy`);
      expect(await registryTags(repo)).toContain(gone);
    },
  );
});
