import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, cleanupOf, werf } from "../support/cli.js";
import { type Gate, startGate } from "../support/gate.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";
import { registryTags } from "../support/tags.js";

// Each command is interrupted after its first registry request, after its second, and so on to its last; the
// answer of that request is lost. Then it runs again, undisturbed, and what is there must be what an undisturbed
// run leaves.

let project: TestProject;
let registry: EmbeddedTestRegistry;
let gate: Gate;

beforeAll(async () => {
  project = testProject(shopFiles);
  project.commit("first");
  project.push("main");
  registry = await startEmbedded();
  gate = await startGate(registry.host);
});
afterAll(async () => {
  await gate.stop();
  await registry.stop();
  project.dispose();
});

async function run(argv: readonly string[], signal?: AbortSignal): Promise<CliResult> {
  return werf(argv, {
    cwd: project.directory,
    home: project.home,
    ...(signal === undefined ? {} : { signal }),
  });
}
async function ok(argv: readonly string[]): Promise<void> {
  const result = await run(argv);
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
}

/** How many requests an undisturbed run makes. */
async function requestsOf(argv: readonly string[]): Promise<number> {
  gate.reset();
  await ok(argv);
  return gate.seen.length;
}

/** Interrupts after the n-th request, then runs again; whether the first run was really cut short. */
async function disturbed(n: number, argv: readonly string[]): Promise<boolean> {
  const interrupt = new AbortController();
  gate.closeAfter(n, () => interrupt.abort(new Error("interrupted by the test")));
  const first = await run(argv, interrupt.signal);
  gate.open();
  if (interrupt.signal.aborted) expect(first.exitCode, `after request ${n}: ${first.stderr}`).toBe(130);
  await ok(argv);
  return interrupt.signal.aborted;
}

/** Without what differs from run to run by its nature: the time of publishing, and digests that name the repository. */
function normal(tags: readonly string[]): string[] {
  return tags.map((tag) => tag.replace(/[0-9a-f]{56}(-\d{13})?/g, "STAGE")).sort();
}

async function expectWhole(repository: string): Promise<void> {
  const slash = repository.indexOf("/");
  const base = `http://${repository.slice(0, slash)}/v2/${repository.slice(slash + 1)}`;
  for (const tag of await registryTags(repository)) {
    const response = await fetch(`${base}/manifests/${tag}`, {
      headers: {
        accept:
          "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json",
      },
    });
    expect(response.status, tag).toBe(200);
    const manifest = (await response.json()) as { config: { digest: string }; layers: { digest: string }[] };
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      const blob = await fetch(`${base}/blobs/${digest}`, { method: "HEAD" });
      expect(blob.status, `${tag}: ${digest}`).toBe(200);
    }
  }
}

describe("interrupted after each request and run again", () => {
  it("build ends in the state of an undisturbed run", async () => {
    const argv = (repo: string): string[] => ["build", "--repo", repo, "--add-custom-tag", "%image%-main"];
    const calm = `${gate.host}/calm/build`;
    const requests = await requestsOf(argv(calm));
    const expected = normal(await registryTags(calm));
    expect(requests).toBeGreaterThan(10);
    let interrupted = 0;
    for (let n = 1; n <= requests; n++) {
      const repo = `${gate.host}/disturbed/build-${n}`;
      if (await disturbed(n, argv(repo))) interrupted++;
      expect(normal(await registryTags(repo)), `after request ${n}`).toEqual(expected);
      await expectWhole(repo);
    }
    expect(interrupted).toBeGreaterThan(requests - 4);
  });

  it("bundle copy ends in the state of an undisturbed run", async () => {
    const source = `${gate.host}/calm/source`;
    await ok(["bundle", "publish", "--repo", source, "--tag", "1.0.0"]);
    const argv = (to: string): string[] => [
      "bundle",
      "copy",
      "--from",
      `${source}:1.0.0`,
      "--to",
      `${to}:1.0.0`,
    ];
    // The copies go to one name in registries of their own, so that digests can be compared as well.
    const target = `${gate.host}/copied/shop`;
    const requests = await requestsOf(argv(target));
    const expected = await registryTags(target);
    for (let n = 1; n <= requests; n++) {
      const repo = `${gate.host}/copied/shop-${n}`;
      await disturbed(n, argv(repo));
      expect(await registryTags(repo), `after request ${n}`).toEqual(expected);
      await expectWhole(repo);
    }
  });

  it("bundle copy to an archive ends with a whole archive", async () => {
    const source = `${gate.host}/calm/source-of-archives`;
    await ok(["bundle", "publish", "--repo", source, "--tag", "1.0.0"]);
    const argv = (file: string): string[] => [
      "bundle",
      "copy",
      "--from",
      `${source}:1.0.0`,
      "--to",
      `archive:${file}`,
    ];
    const requests = await requestsOf(argv(join(project.base, "calm.tar")));
    for (let n = 1; n <= requests; n++) {
      const file = join(project.base, `disturbed-${n}.tar`);
      await disturbed(n, argv(file));
      await ok([
        "bundle",
        "copy",
        "--from",
        `archive:${file}`,
        "--to",
        `${gate.host}/from-archive/shop-${n}:1.0.0`,
      ]);
    }
  });

  it("cleanup ends in the state of an undisturbed run", async () => {
    // A registry with something to delete, copied for each run.
    const original = mkdtempSync(join(tmpdir(), "werf-ts-cleanup-"));
    const before = await startEmbedded({ root: original });
    const repo = `${gate.host}/cleanup/shop`;
    gate.lead(before.host);
    await ok(["build", "--repo", repo, "--add-custom-tag", "%image%-main"]);
    for (const version of [2, 3]) {
      project.git("checkout", "-q", "-b", `gone-${version}`);
      project.write("backend/app.txt", `version ${version}\n`);
      project.commit(`version ${version}`);
      await ok(["build", "--repo", repo, "--add-custom-tag", `%image%-gone-${version}`]);
      project.git("checkout", "-q", "main");
      project.git("branch", "-q", "-D", `gone-${version}`);
    }
    const argv = cleanupOf(repo);
    const fresh = async (): Promise<{ registry: EmbeddedTestRegistry; root: string }> => {
      const root = mkdtempSync(join(tmpdir(), "werf-ts-cleanup-"));
      cpSync(original, root, { recursive: true });
      const copy = await startEmbedded({ root });
      gate.lead(copy.host);
      return { registry: copy, root };
    };
    const calm = await fresh();
    const all = await registryTags(repo);
    const requests = await requestsOf(argv);
    const expected = await registryTags(repo);
    expect(expected.length).toBeLessThan(all.length - 4);
    await calm.registry.stop();
    rmSync(calm.root, { recursive: true, force: true });
    for (let n = 1; n <= requests; n++) {
      const { registry: copy, root } = await fresh();
      await disturbed(n, argv);
      expect(await registryTags(repo), `after request ${n}`).toEqual(expected);
      await copy.stop();
      rmSync(root, { recursive: true, force: true });
    }
    await before.stop();
    rmSync(original, { recursive: true, force: true });
    gate.lead(registry.host);
  });
});
