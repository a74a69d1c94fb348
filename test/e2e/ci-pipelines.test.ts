import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";
import { type ShellMachine, shellMachine } from "../support/shell.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface GitlabJob {
  readonly before_script?: readonly string[];
  readonly script?: readonly string[];
}
interface GithubWorkflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly { readonly run?: string }[] }>>;
}

const gitlab = parse(read("examples/ci/gitlab-ci.yml")) as Readonly<Record<string, GitlabJob>>;
const github = parse(read("examples/ci/github-actions.yml")) as GithubWorkflow;

/** As a runner puts a job together. */
function gitlabScript(job: string): string {
  return [...(gitlab[".werf"]?.before_script ?? []), ...(gitlab[job]?.script ?? [])].join("\n");
}

/** Each step is a shell of its own. */
function githubSteps(job: string): string[] {
  return github.jobs[job]?.steps.flatMap(({ run }) => run ?? []) ?? [];
}

const jobs = ["build", "release", "cleanup"];

it.each([
  ["docs/ci/gitlab.md", "examples/ci/gitlab-ci.yml"],
  ["docs/ci/github.md", "examples/ci/github-actions.yml"],
])("%s shows %s as it is", (page, example) => {
  const blocks = [...read(page).matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block]) => block);
  expect(blocks).toContain(read(example));
});

describe("the jobs of the examples, on a registry", () => {
  let machine: ShellMachine;
  let registry: EmbeddedTestRegistry;
  let project: TestProject;
  beforeAll(async () => {
    registry = await startEmbedded();
    project = testProject(shopFiles);
    project.commit("The shop");
    project.git("tag", "v1.2.3");
    project.push("main", "v1.2.3");
  });
  afterAll(async () => {
    project.dispose();
    await registry.stop();
  });
  beforeEach(() => {
    machine = shellMachine();
    // What would be installed is on PATH.
    machine.program("npm", `test "$*" = "install --global werf-ts"`);
  });
  afterEach(() => machine.dispose());

  const tags = async (name: string): Promise<string[]> => {
    const response = await fetch(`http://${registry.host}/v2/${name}/tags/list`);
    return ((await response.json()) as { tags: string[] }).tags;
  };

  it.each(jobs)("are in the shell's syntax: %s", async (job) => {
    for (const script of [gitlabScript(job), ...githubSteps(job)]) {
      expect(script).not.toBe("");
      const { exitCode, stderr } = await machine.run("bash", `bash -n <<'SCRIPT'\n${script}\nSCRIPT`);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    }
  });

  it("build, release and clean up on GitLab", { timeout: 240_000 }, async () => {
    const env = {
      CI_REGISTRY: registry.host,
      CI_REGISTRY_IMAGE: `${registry.host}/group/shop`,
      CI_JOB_TOKEN: "job-token",
      CI_COMMIT_TAG: "v1.2.3",
      GITLAB_CI: "true",
    };
    for (const job of jobs) {
      const script = `set -eo pipefail\n${gitlabScript(job)}`;
      const result = await machine.run("bash", script, env, project.directory);
      expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    }
    expect(await tags("group/shop")).toContain("1.2.3");
  });

  it("build, release and clean up on GitHub", { timeout: 240_000 }, async () => {
    const env = {
      GITHUB_REPOSITORY: "acme/shop",
      GITHUB_REF_TYPE: "tag",
      GITHUB_REF_NAME: "v1.2.3",
      WERF_REPO: `${registry.host}/acme/shop`,
      // The token is for ghcr.io, which no test reaches.
      WERF_LOGIN_TO_REGISTRY: "0",
    };
    for (const step of jobs.flatMap(githubSteps)) {
      const result = await machine.run("bash", `set -e\n${step}`, env, project.directory);
      expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    }
    expect(await tags("acme/shop")).toContain("1.2.3");
  });
});
