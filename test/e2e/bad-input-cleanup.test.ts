import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CliResult, werf } from "../support/cli.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { expectRefusal, type Refusal } from "../support/refusal.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";
import { readTags, registryTags } from "../support/tags.js";

// What cleanup must not decide on: whatever is wrong, every tag stays.

let registry: EmbeddedTestRegistry;
let project: TestProject;
let repo: string;
let repositories = 0;

beforeAll(async () => {
  registry = await startEmbedded();
  project = testProject(shopFiles);
  project.commit("first");
  project.push("main");
});
afterAll(async () => {
  await registry.stop();
  project.dispose();
});
/** Each test has a repository with the images of main and of a branch that is gone. */
beforeEach(async () => {
  repo = `${registry.host}/bad/cleanup-${++repositories}`;
  await ok("build", "--repo", repo);
  project.git("checkout", "-q", "-b", "gone");
  project.write("backend/app.txt", `version ${repositories} on a branch\n`);
  project.commit("on a branch");
  await ok("build", "--repo", repo);
  project.git("checkout", "-q", "main");
  project.git("branch", "-q", "-D", "gone");
});

async function ok(...argv: string[]): Promise<CliResult> {
  const result = await werf(argv, { cwd: project.directory, home: project.home });
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  return result;
}

const cleanup = (...more: string[]): string[] => [
  "cleanup",
  "--repo",
  repo,
  "--keep-stages-built-within-last-n-hours",
  "0",
  ...more,
];

/** Refused, in a dry run too, and every tag stays. */
async function refused(argv: readonly string[], refusal: Refusal, cwd = project.directory): Promise<void> {
  const before = await registryTags(repo);
  for (const more of [[], ["--dry-run"]]) {
    await expectRefusal([...argv, ...more], { cwd, home: project.home }, refusal);
  }
  expect(await registryTags(repo)).toEqual(before);
}

describe("cleanup", () => {
  it("wants to be told that Kubernetes isn't asked", async () => {
    await refused(cleanup(), { exitCode: 2, says: ["Kubernetes", "--without-kube"] });
  });

  it.each<[string, string, Refusal["says"]]>([
    ["an invalid tag", "latest\n\nnot a tag!\n", ["keep.txt", "line 3", "not a tag!"]],
    ["a digest that is none", "latest\nsha256:abc\n", ["keep.txt", "line 2", "sha256:abc"]],
    ["bytes that are no text", "\u0000\u001b\n", ["keep.txt", "line 1", "\\u0000\\u001b"]],
  ])("refuses a keep list with %s", async (_what, text, says) => {
    project.write("keep.txt", text);
    await refused(cleanup("--without-kube", "--keep-list", "keep.txt"), { exitCode: 2, says });
  });

  it("refuses a keep list that isn't there, or is a directory", async () => {
    for (const path of ["none.txt", "backend"]) {
      await refused(cleanup("--without-kube", "--keep-list", path), {
        exitCode: 2,
        says: [path, "--keep-list"],
      });
    }
  });

  it.each(["many", "-1", "101%", "5.5", "%"])("refuses --max-delete %j", async (text) => {
    await refused(cleanup("--without-kube", "--max-delete", text), {
      exitCode: 2,
      says: [`"${text}"`, "--max-delete"],
    });
  });

  it.each(["soon", "-1", "1.5"])("refuses --keep-stages-built-within-last-n-hours %j", async (text) => {
    const argv = [
      "cleanup",
      "--repo",
      repo,
      "--without-kube",
      "--keep-stages-built-within-last-n-hours",
      text,
    ];
    await refused(argv, { exitCode: 2, says: ["--keep-stages-built-within-last-n-hours", text] });
  });

  it.each<[string, string, Refusal["says"]]>([
    ["a pattern that is none", "references:\n        branch: /(/\n", ["werf.yaml:6:", "("]],
    ["an unknown key", "referencs:\n        branch: main\n", ["werf.yaml:5:", "referencs", "references"]],
    [
      "a number that isn't",
      "references:\n        branch: main\n        limit: {last: many}\n",
      ["werf.yaml:7:", "many"],
    ],
    [
      "a branch and a tag at once",
      "references:\n        branch: main\n        tag: v1\n",
      ["werf.yaml:7:", "branch", "tag"],
    ],
  ])("refuses policies with %s", async (_what, policy, says) => {
    const other = testProject({
      ...shopFiles,
      "werf.yaml": `project: shop\nconfigVersion: 1\ncleanup:\n  keepPolicies:\n    - ${policy}${shopFiles["werf.yaml"]?.slice("project: shop\nconfigVersion: 1\n".length)}`,
    });
    other.commit("first");
    other.push("main");
    await refused(cleanup("--without-kube"), { says }, other.directory);
    other.dispose();
  });

  it("refuses a history that is cut off", async () => {
    const other = testProject({
      ...shopFiles,
      "werf.yaml": `gitWorktree:\n  allowUnshallow: false\n${shopFiles["werf.yaml"]}`,
    });
    for (const message of ["first", "second"]) other.commit(message);
    other.push("main");
    const shallow = join(other.base, "shallow");
    const origin = pathToFileURL(join(other.base, "origin.git")).href;
    other.git("clone", "-q", "--depth", "1", "--branch", "main", origin, shallow);
    await refused(cleanup("--without-kube"), { says: [shallow, "shallow clone", "fetch"] }, shallow);
    other.dispose();
  });

  it("refuses to go on without the branches of origin", async () => {
    const alone = testProject(shopFiles);
    alone.commit("first");
    alone.git("remote", "set-url", "origin", join(alone.base, "nowhere.git"));
    await refused(cleanup("--without-kube"), { says: ["origin"] }, alone.directory);
    alone.dispose();
  });

  it("stops where stages have no records of this project", async () => {
    for (const tag of await registryTags(repo)) {
      if (/^(?:meta|managed-image)-/.test(tag)) await remove(tag);
    }
    await refused(cleanup("--without-kube"), { says: ["meta-"], stdout: /^/ });
  });

  it("keeps what another project has in the repository", async () => {
    const other = testProject({
      ...shopFiles,
      "werf.yaml": String(shopFiles["werf.yaml"]).replace("project: shop", "project: market"),
      "backend/app.txt": "another project\n",
    });
    other.commit("first");
    other.push("main");
    const built = await werf(["build", "--repo", repo], { cwd: other.directory, home: other.home });
    expect(built, built.stderr).toMatchObject({ exitCode: 0 });
    const before = await registryTags(repo);
    await ok(...cleanup("--without-kube"));
    const after = await registryTags(repo);
    // One stage of this project's lost branch goes; what the other one built can still be reused.
    expect(readTags(before).stages - readTags(after).stages).toBe(1);
    const again = await werf(["build", "--repo", repo], { cwd: other.directory, home: other.home });
    expect(again).toMatchObject({ exitCode: 0 });
    expect(await registryTags(repo)).toEqual(after);
    other.dispose();
  });

  it("doesn't take a repository that isn't there for an empty one", async () => {
    repo = `${registry.host}/bad/never-built`;
    await refused(cleanup("--without-kube"), {
      says: [repo, "doesn't know"],
      stdout: /^(?:0 kept, 0 .*\n)?$/,
    });
  });
});

async function remove(tag: string): Promise<void> {
  const url = `http://${repo.replace("/", "/v2/")}/manifests/${tag}`;
  const response = await fetch(url, { method: "DELETE" });
  expect(response.status, tag).toBe(202);
}
