import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { expectRefusal, type Refusal } from "../support/refusal.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";
import { registryTags } from "../support/tags.js";

// Mistakes in the project and on the command line: nothing of them reaches the registry.

let registry: EmbeddedTestRegistry;
let repositories = 0;
const projects: TestProject[] = [];

beforeAll(async () => {
  registry = await startEmbedded();
});
afterAll(() => registry.stop());
afterEach(() => {
  for (const project of projects.splice(0)) project.dispose();
});

type Files = Readonly<Record<string, string | Uint8Array>>;

function committed(files: Files): TestProject {
  const project = testProject(files);
  projects.push(project);
  project.commit("first");
  project.push("main");
  return project;
}

/** Refused, and the repository is as empty as before. */
async function refused(
  project: TestProject,
  argv: readonly string[],
  refusal: Refusal,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const repo = `${registry.host}/bad/project-${++repositories}`;
  const setting = { cwd: project.directory, home: project.home, env };
  await expectRefusal([...argv, "--repo", repo], setting, refusal);
  expect(await registryTags(repo)).toEqual([]);
}

const oneImage = "project: app\nconfigVersion: 1\n---\nimage: app\ndockerfile: Dockerfile\n";
const app = (dockerfile: string, more: Files = {}): Files => ({
  "werf.yaml": oneImage,
  Dockerfile: dockerfile,
  "file.txt": "content\n",
  ...more,
});

describe("outside of a project", () => {
  it("says that there is no git repository", async () => {
    const project = committed({});
    const outside = join(project.base, "outside");
    mkdirSync(outside);
    const says = [outside, "not in a git work tree", "git init"];
    for (const command of [["build"], ["bundle", "publish"], ["cleanup", "--without-kube"], ["purge"]]) {
      await expectRefusal(
        [...command, "--repo", `${registry.host}/bad/outside`],
        { cwd: outside, home: project.home },
        { says },
      );
    }
    expect(await registryTags(`${registry.host}/bad/outside`)).toEqual([]);
  });

  it("says that nothing is committed", async () => {
    const project = testProject(app("FROM scratch\n"));
    projects.push(project);
    await refused(project, ["build"], { says: ["commit"] });
  });

  it("says that --dir is not there", async () => {
    await refused(committed(shopFiles), ["build", "--dir", "nowhere"], { says: ["nowhere"] });
  });

  it("says that git is not installed", async () => {
    const project = committed(shopFiles);
    const empty = join(project.base, "empty");
    mkdirSync(empty);
    await refused(project, ["build"], { says: ["git", "install"] }, { PATH: empty });
  });
});

describe("werf.yaml", () => {
  it("that is missing, or not committed", async () => {
    const project = committed({ "readme.txt": "nothing here\n" });
    await refused(project, ["build"], { says: ["werf.yaml"] });
    project.write("werf.yaml", oneImage);
    await refused(project, ["build"], { says: ["werf.yaml", "commit"] });
  });

  it.each<[string, string, Refusal["says"]]>([
    [
      "an unknown key",
      oneImage.replace("dockerfile:", "dockerfil:"),
      ["werf.yaml:5:1", '"dockerfil"', "dockerfile"],
    ],
    ["a key that is there twice", `${oneImage}dockerfile: Other\n`, ["werf.yaml:6:1", "dockerfile"]],
    ["what is no YAML", "project: [app\nconfigVersion: 1\n", ["werf.yaml:2"]],
    ["a template with an error", `{{ if }}\n${oneImage}`, ["werf.yaml:1"]],
    ["a wrong type", oneImage.replace("Dockerfile", "[a, b]"), ["werf.yaml:5:", "dockerfile", "string"]],
    ["no project", oneImage.replace("project: app\n", ""), ["werf.yaml", "project"]],
    [
      "two images of one name",
      `${oneImage}---\nimage: app\ndockerfile: Dockerfile\n`,
      ["werf.yaml:7:", "app"],
    ],
    [
      "a dependency that isn't there",
      `${oneImage}dependencies:\n  - image: bakend\n    imports: []\n---\nimage: backend\ndockerfile: Dockerfile\n`,
      ["werf.yaml:7:", "bakend", "backend"],
    ],
    [
      "a cycle between images",
      ["a", "b", "c"]
        .map(
          (name, i, all) =>
            `---\nimage: ${name}\ndockerfile: Dockerfile\ndependencies:\n  - image: ${all[(i + 1) % 3]}\n    imports:\n      - type: ImageName\n        targetBuildArg: BASE\n`,
        )
        .join("")
        .replace(/^/, "project: app\nconfigVersion: 1\n"),
      ["werf.yaml:", /a -> b -> c -> a|a.*b.*c.*a/],
    ],
    [
      "a Stapel image",
      "project: app\nconfigVersion: 1\n---\nimage: app\nfrom: alpine\n",
      ["werf.yaml", "line 4", "Stapel"],
    ],
  ])("with %s", async (_what, text, says) => {
    await refused(committed({ "werf.yaml": text, Dockerfile: "FROM scratch\n" }), ["build"], { says });
  });
});

describe("a Dockerfile", () => {
  it.each<[string, string, Refusal["says"]]>([
    ["an unknown instruction", "FROM scratch\nCOPPY file.txt /\n", ["Dockerfile:2", "COPPY", "COPY"]],
    ["an instruction before FROM", "COPY file.txt /\nFROM scratch\n", ["Dockerfile:1", "FROM"]],
    ["a wrong flag", "FROM scratch\nCOPY --form=a file.txt /\n", ["Dockerfile:2", "--form"]],
    ["a heredoc without its end", "FROM scratch\nCOPY <<EOF /x\ntext\n", ["Dockerfile:2", "EOF"]],
    ["a missing argument", "FROM scratch\n\nCOPY file.txt\n", ["Dockerfile:3", "COPY"]],
    ["JSON that isn't", 'FROM scratch\nCOPY ["file.txt", "/"\n', ["Dockerfile:2"]],
    ["nothing in it", "# empty\n", ["Dockerfile"]],
    ["an unknown stage", "FROM scratch\nCOPY --from=9 / /\n", ["Dockerfile:2", "9"]],
    [
      "a source that isn't there",
      "FROM scratch\nCOPY file.txt nothing.txt /dir/\n",
      ["Dockerfile:2", "nothing.txt"],
    ],
    ["a source that no file matches", "FROM scratch\nCOPY *.none /\n", ["Dockerfile:2", "*.none"]],
    ["a source outside of the context", "FROM scratch\nCOPY ../secret /\n", ["Dockerfile:2", "../secret"]],
    ["a base that is no reference", "FROM Not/A:Ref:erence\n", ["Dockerfile:1", "Not/A:Ref:erence"]],
    ["a platform that is none", "FROM --platform=mips_ alpine\n", ["Dockerfile:1", "mips_"]],
    ["a pattern that is none", "FROM scratch\nCOPY [a /\n", ["Dockerfile:2", "[a"]],
    ["a variable without a value as base", "ARG BASE\nFROM $BASE\n", ["Dockerfile:2", "BASE"]],
  ])("with %s", async (_what, dockerfile, says) => {
    await refused(committed(app(dockerfile)), ["build"], { says });
  });

  it("that isn't there, or not committed, or ignored", async () => {
    const project = committed({ "werf.yaml": oneImage });
    await refused(project, ["build"], { says: ["Dockerfile", "image app"] });
    project.write("Dockerfile", "FROM scratch\n");
    await refused(project, ["build"], { says: ["Dockerfile", "commit"] });
  });

  it("whose source .dockerignore leaves out", async () => {
    const files = app("FROM scratch\nCOPY file.txt /\n", { ".dockerignore": "*.txt\n" });
    await refused(committed(files), ["build"], { says: ["Dockerfile:2", "file.txt", ".dockerignore"] });
  });

  it("whose context is a link that leads outside", async () => {
    const project = testProject(app("FROM scratch\nCOPY way/passwd /\n"));
    projects.push(project);
    symlinkSync("/etc", join(project.directory, "way"));
    project.commit("a link");
    await refused(project, ["build"], { says: ["Dockerfile:2", "way"] });
  });

  it("with a target that isn't there", async () => {
    const files = { ...app("FROM scratch AS one\n"), "werf.yaml": `${oneImage}target: two\n` };
    await refused(committed(files), ["build"], { says: ["two", "one"] });
  });

  it("with RUN, and an engine that doesn't execute", async () => {
    const project = committed(app("FROM scratch\nCOPY file.txt /\nRUN make all\n"));
    const says = ["Dockerfile:3", "RUN"];
    await refused(project, ["build", "--builder", "native"], { says: [...says, "--builder", "buildah"] });
    // A PATH with git alone.
    const bin = join(project.base, "bin");
    mkdirSync(bin);
    const git = spawnSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).stdout.trim();
    symlinkSync(git, join(bin, "git"));
    for (const builder of ["auto", "buildah"]) {
      await refused(
        project,
        ["build", "--builder", builder],
        { says: [...says, /install.*buildah/i] },
        { PATH: bin },
      );
    }
  });
});

describe("the command line", () => {
  const two = "---\nimage: one\ndockerfile: Dockerfile\n---\nimage: two\ndockerfile: Dockerfile\n";
  const shop = (): TestProject =>
    committed({ ...shopFiles, Dockerfile: "FROM scratch\n", "werf.yaml": `${shopFiles["werf.yaml"]}${two}` });
  it.each<[string, readonly string[], Refusal["says"]]>([
    ["an unknown command", ["biuld"], ["biuld", "build"]],
    ["an unknown option", ["build", "--repository", "x"], ["--repository"]],
    ["a wrong platform", ["build", "--platform", "linux_amd64"], ["linux_amd64", "linux/amd64"]],
    ["an unknown builder", ["build", "--builder", "kaniko"], ["kaniko", "native"]],
    ["a number that isn't", ["build", "--parallel-tasks-limit", "many"], ["--parallel-tasks-limit", "many"]],
    ["an image that isn't there", ["build", "bakend"], ["bakend", "backend"]],
    ["a template of nothing", ["build", "--add-custom-tag", "%imag%-x"], ["%imag%-x", "%image%"]],
    ["a template that makes no tag", ["build", "--add-custom-tag", "a b"], ["a b"]],
    ["one tag for two images", ["build", "--add-custom-tag", "latest"], ["latest", "backend", "one"]],
    ["a tag like a stage's", ["build", "--add-custom-tag", "a".repeat(56)], ["a".repeat(56)]],
    [
      "a report with another extension",
      ["build", "--save-build-report", "--build-report-path", "r.xml"],
      ["r.xml", ".json"],
    ],
    ["a bundle's tag that is none", ["bundle", "publish", "--tag", "-1"], ["-1", "tag"]],
    ["a chart's name that is none", ["bundle", "publish", "--rename-chart", "A B"], ["A B"]],
  ])("with %s", async (_what, argv, says) => {
    await refused(shop(), argv, { says, exitCode: 2 });
  });

  it("with an address that is none", async () => {
    const project = shop();
    for (const address of ["https://registry.example/app", "Registry Example", "registry.example/App"]) {
      await expectRefusal(
        ["build", "--repo", address],
        { cwd: project.directory, home: project.home },
        { exitCode: 2, says: [address] },
      );
    }
  });

  it("without what it needs", async () => {
    const project = shop();
    const setting = { cwd: project.directory, home: project.home };
    await expectRefusal(["bundle", "publish"], setting, { exitCode: 2, says: ["--repo"] });
    await expectRefusal(["cleanup", "--without-kube"], setting, { exitCode: 2, says: ["--repo"] });
    await expectRefusal(["bundle", "copy", "--from", "a.example/b"], setting, {
      exitCode: 2,
      says: ["--to"],
    });
    await expectRefusal(["bundle", "copy", "--to", "a.example/b"], setting, {
      exitCode: 2,
      says: ["--from"],
    });
    await expectRefusal(["build", "--add-custom-tag", "x"], setting, { exitCode: 2, says: ["--repo"] });
  });
});
