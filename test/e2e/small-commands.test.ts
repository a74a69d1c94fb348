import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, werf } from "../support/cli.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import {
  isMissing,
  requirePeer,
  startDockerRegistry,
  startEmbedded,
  type TestRegistry,
} from "../support/registries.js";
import { registryTags } from "../support/tags.js";

let project: TestProject;
beforeAll(() => {
  const templated = `${shopFiles["werf.yaml"]}---\nimage: {{ .Env }}-tools\ndockerfile: base.Dockerfile\n`;
  project = testProject({ ...shopFiles, "werf.yaml": templated });
  project.commit("first");
});
afterAll(() => project.dispose());

const run = (...argv: string[]): Promise<CliResult> =>
  werf(argv, { cwd: project.directory, home: project.home, env: { WERF_ENV: "test" } });

describe("slugify", () => {
  it.each([
    ["kubernetes-namespace", "My_branch", "my-branch-8ebf2d1d"],
    ["ns", "my-branch", "my-branch"],
    ["docker-tag", "helo/ehlo", "helo-ehlo-b6f6ab1f"],
    ["tag", "helo-ehlo_1.0", "helo-ehlo_1.0"],
    ["helm-release", "app.prod", "app.prod"],
    ["r", "App/Prod", expect.stringMatching(/^app-prod-[0-9a-f]{1,8}$/)],
  ])("makes a %s of %s", async (format, text, expected) => {
    const { exitCode, stdout, stderr } = await run("slugify", text, "-f", format);
    expect({ exitCode, stderr, line: stdout.trimEnd() }).toEqual({ exitCode: 0, stderr: "", line: expected });
  });

  it.each([
    [["x"], "--format=NAME is required"],
    [["x", "-f", "docker-tags"], 'is no format; did you mean "docker-tag"?'],
    [["x", "-f", "constructor"], "is no format"],
    [["-f", "ns"], "missing required argument"],
  ])("answers %j with exit code 2", async (argv, message) => {
    const result = await run("slugify", ...argv);
    expect(result).toMatchObject({ exitCode: 2, stdout: "" });
    expect(result.stderr).toContain(message);
  });
});

describe("config", () => {
  it("renders the whole file, and the documents of some images", async () => {
    const whole = await run("config", "render");
    expect(whole).toMatchObject({ exitCode: 0, stderr: "" });
    expect(whole.stdout).toBe(
      `${shopFiles["werf.yaml"]}---\nimage: test-tools\ndockerfile: base.Dockerfile\n`,
    );
    expect((await run("config", "render", "--env", "prod")).stdout).toContain("image: prod-tools\n");
    const some = await run("config", "render", "*-tools", "base");
    expect(some.stdout).toBe(
      "image: base\ndockerfile: base.Dockerfile\nfinal: false\n---\nimage: test-tools\ndockerfile: base.Dockerfile\n",
    );
  });

  it("lists images, final ones by default", async () => {
    expect((await run("config", "list")).stdout).toBe("backend\ntest-tools\n");
    const all = await run("config", "list", "--final-images-only=false");
    expect(all.stdout).toBe("base\nbackend\ntest-tools\n");
  });

  it("shows what depends on what", async () => {
    const { stdout } = await run("config", "graph", "base", "backend");
    expect(stdout).toBe("- image: base\n- image: backend\n  dependsOn:\n    dependencies:\n      - base\n");
    const unknown = await run("config", "graph", "bakend");
    expect(unknown).toMatchObject({ exitCode: 2, stdout: "" });
    expect(unknown.stderr).toContain('did you mean "backend"?');
  });
});

describe.each([
  { kind: "embedded registry", start: startEmbedded, present: true },
  {
    kind: "docker-registry",
    start: startDockerRegistry,
    present: requirePeer("docker-registry") !== undefined,
  },
])("what a repository holds, in the $kind", ({ start, present }) => {
  let registry: TestRegistry;
  let repositories = 0;
  beforeAll(async () => {
    if (!present) return;
    const started = await start();
    if (isMissing(started)) throw new Error(started.missing);
    registry = started;
  });
  afterAll(async () => {
    if (present) await registry.stop();
  });
  const repository = (): string => `${registry.host}/small/shop-${++repositories}`;

  async function ok(...argv: string[]): Promise<CliResult> {
    const result = await run(...argv);
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    return result;
  }

  it.skipIf(!present)("managed images are listed, added and removed, and nothing else changes", async () => {
    const repo = repository();
    await ok("build", "--repo", repo);
    const built = await registryTags(repo);
    const ls = async (): Promise<string[]> =>
      (await ok("managed-images", "ls", "--repo", repo)).stdout.trimEnd().split("\n");
    expect(await ls()).toEqual(["backend", "base", "test-tools"]);
    await ok("managed-images", "add", "group/old app", "--repo", repo);
    expect(await ls()).toEqual(["backend", "base", "group/old app", "test-tools"]);
    const again = await ok("managed-images", "add", "group/old app", "--repo", repo);
    expect(again.stderr).toContain("is managed already");
    await ok("managed-images", "rm", "group/old app", "--repo", repo);
    expect(await ls()).toEqual(["backend", "base", "test-tools"]);
    expect(await registryTags(repo)).toEqual(built);
    const absent = await ok("managed-images", "rm", "group/old app", "--repo", repo);
    expect(absent.stderr).toContain("is not managed");
  });

  it.skipIf(!present)(
    "an image's address is printed when it is there, and nothing is built for it",
    async () => {
      const repo = repository();
      const missing = await run("stage", "image", "backend", "--repo", repo);
      expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
      expect(missing.stderr).toMatch(/image base of the commit [0-9a-f]{12} is not in .*\n.*werf build base/);
      await expect(registryTags(repo)).resolves.toEqual([]);
      for (const platforms of [[], ["--platform", "linux/amd64", "--platform", "linux/arm64"]]) {
        await ok("build", "--repo", repo, ...platforms);
        const tags = await registryTags(repo);
        const { stdout } = await ok("stage", "image", "backend", "--repo", repo, ...platforms);
        const [address, tag] = [stdout.slice(0, repo.length), stdout.slice(repo.length + 1).trimEnd()];
        expect(address).toBe(repo);
        expect(tag).toMatch(platforms.length === 0 ? /^[0-9a-f]{56}-\d{13}$/ : /^[0-9a-f]{56}$/);
        expect(await registryTags(repo)).toEqual(tags);
        expect(tags).toContain(tag);
      }
    },
  );
});

it.each([
  [["managed-images", "ls"], "--repo=ADDRESS is required"],
  [["managed-images", "add", "--repo", "registry.example/app"], "missing required argument"],
  [["stage", "image"], "the name of an image is missing"],
  [["stage", "image", "bakend"], 'did you mean "backend"?'],
])("answers %j with exit code 2", async (argv, message) => {
  const result = await run(...argv);
  expect(result).toMatchObject({ exitCode: 2, stdout: "" });
  expect(result.stderr).toContain(message);
});
