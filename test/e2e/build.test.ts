import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { openRegistry } from "../../src/embedded-registry/server/server.js";
import { type CliResult, type CliSetting, werf } from "../support/cli.js";
import { serveHttp, type TestServer } from "../support/http-server.js";
import { type TestProject, testProject } from "../support/project.js";
import { digestOfTag, readTags, registryTags } from "../support/tags.js";

/** `b` has the content of `a`; `top` is based on `b`, and changes when the tag of `b` does. */
const files = {
  "werf.yaml": `project: app
configVersion: 1
---
image: [a, b]
dockerfile: Dockerfile
---
image: top
dockerfile: top.Dockerfile
args: { UNUSED: x }
dependencies:
  - from: b
    imports: [{ type: ImageName, targetBuildArg: BASE }]
`,
  Dockerfile: "FROM scratch\nCOPY src /src\n",
  "top.Dockerfile": "ARG BASE\nFROM $BASE\nENV TOP=1\n",
  "src/a.txt": "a\n",
};

let project: TestProject;
let registry: TestServer;
const requests: string[] = [];
let closeRegistry: () => Promise<void>;
let repositories = 0;

beforeAll(async () => {
  project = testProject(files);
  project.commit("first");
  const opened = await openRegistry({
    root: join(project.base, "registry"),
    clock: systemClock,
    emit: () => undefined,
    durable: false,
  });
  registry = await serveHttp((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    return opened.handle(request, response);
  });
  closeRegistry = () => opened.close();
});
afterAll(async () => {
  registry.close();
  await closeRegistry();
  project.dispose();
});
afterEach(() => {
  requests.length = 0;
  project.git("checkout", "-q", ".");
  project.git("clean", "-qfd");
});

const newRepository = (): string => `${registry.host}/build/${++repositories}`;

function build(argv: readonly string[], setting: Partial<CliSetting> = {}): Promise<CliResult> {
  return werf(["build", ...argv], { cwd: project.directory, home: project.home, ...setting });
}

interface ReportedImage {
  readonly DockerImageName: string;
  readonly DockerImageDigest: string;
  readonly DockerTag: string;
  readonly Rebuilt: boolean;
}

interface Report {
  readonly Images: Readonly<Record<string, ReportedImage>>;
}

function report(): Report["Images"] {
  return (JSON.parse(readFileSync(join(project.directory, ".werf-build-report.json"), "utf8")) as Report)
    .Images;
}

describe("images with the same content", () => {
  it.each([[[]], [["--platform", "linux/amd64", "--platform", "linux/arm64"]]])(
    "are one stage, so that a second build changes nothing (%j)",
    async (platforms) => {
      const repository = newRepository();
      const argv = ["--repo", repository, "--save-build-report", ...platforms];
      expect(await build(argv)).toMatchObject({ exitCode: 0 });
      const first = await registryTags(repository);
      expect(readTags(first).stages).toBe(platforms.length === 0 ? 2 : 6);
      const { a, b, top } = report();
      expect(a).toMatchObject({
        DockerImageName: b?.DockerImageName,
        DockerImageDigest: b?.DockerImageDigest,
      });
      expect(await digestOfTag(repository, a?.DockerTag ?? "")).toBe(a?.DockerImageDigest);
      expect(top?.Rebuilt).toBe(true);
      requests.length = 0;
      expect(await build(argv)).toMatchObject({ exitCode: 0 });
      expect(Object.values(report()).map(({ Rebuilt }) => Rebuilt)).toEqual([false, false, false]);
      expect(await registryTags(repository)).toEqual(first);
      expect(requests.filter((request) => !request.startsWith("GET "))).toEqual([]);
    },
  );

  it("cost a second build one listing and one request each", async () => {
    const repository = newRepository();
    await build(["--repo", repository]);
    requests.length = 0;
    await build(["--repo", repository]);
    const [, ...name] = repository.split("/");
    const [list, ...manifests] = requests;
    expect(list).toBe(`GET /v2/${name.join("/")}/tags/list?n=1000`);
    expect(manifests).toHaveLength(2);
    for (const request of manifests) expect(request).toMatch(/^GET .*\/manifests\/[0-9a-f]{56}-\d+$/);
  });
});

describe("the final repository", () => {
  it("gets final images and custom tags, and the records stay", async () => {
    const [repository, final] = [newRepository(), newRepository()];
    const argv = [
      "--repo",
      repository,
      "--final-repo",
      final,
      "--add-custom-tag",
      "%image%-1",
      "--save-build-report",
    ];
    expect(await build(["top", ...argv])).toMatchObject({ exitCode: 0 });
    const { top } = report();
    expect(top?.DockerImageName).toMatch(new RegExp(`^${final}:`));
    const tags = await registryTags(final);
    expect(readTags(tags)).toMatchObject({ stages: 2, meta: 0, managed: [], others: ["b-1", "top-1"] });
    const kept = readTags(await registryTags(repository));
    expect(kept).toMatchObject({ stages: 2, meta: 2, managed: ["b", "top"] });
    expect(kept.others).toEqual(["custom-tag-meta-b-1", "custom-tag-meta-top-1"]);
  });
});

describe("warnings", () => {
  it("name uncommitted changes of what is built, and args that no ARG takes", async () => {
    project.write("src/new.txt", "new");
    project.write("notes.txt", "no image has it");
    const { exitCode, stderr } = await build(["--repo", newRepository()]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("Warning: image a is built without 1 uncommitted change: src/new.txt\n");
    expect(stderr).toContain("Warning: image top: top.Dockerfile has no ARG for UNUSED\n");
    expect(stderr).not.toContain("notes.txt");
  });
});

describe("before anything is asked of a registry", () => {
  it.each([
    [["--builder", "docker"], {}, '"docker" is not a builder'],
    [["--platform", "somewhere"], {}, '"somewhere" is not a platform'],
    [[], { SOURCE_DATE_EPOCH: "today" }, 'SOURCE_DATE_EPOCH: "today"'],
    [["--insecure-registry=perhaps"], {}, '--insecure-registry: "perhaps" is neither true nor false'],
  ])("%j %j is refused", async (argv, env, message) => {
    const { exitCode, stderr } = await build(["--repo", newRepository(), ...argv], { env });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
    expect(requests).toEqual([]);
  });
});

describe("surroundings", () => {
  it("a link to the project is the project", async () => {
    const link = join(project.base, "link");
    symlinkSync(project.directory, link);
    expect(await build(["--dir", link], { cwd: project.base })).toMatchObject({ exitCode: 0 });
  });

  it("a directory for temporary files that isn't there is named", async () => {
    project.write("src/a.txt", "other");
    project.commit("other");
    const missing = join(project.base, "missing");
    const { exitCode, stderr } = await build(["--repo", newRepository(), "--tmp-dir", missing]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("no temporary directory can be made");
    expect(stderr).toContain("--tmp-dir");
  });

  it("no temporary directory stays", async () => {
    const tmp = join(project.base, "tmp");
    project.write("../tmp/keep", "");
    const { exitCode } = await build(["--repo", newRepository(), "--tmp-dir", tmp]);
    expect(exitCode).toBe(0);
    expect(readdirSync(tmp)).toEqual(["keep"]);
  });
});
