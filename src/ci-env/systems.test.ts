import { describe, expect, it } from "vitest";
import { github } from "./github.js";
import { gitlab } from "./gitlab.js";
import type { CiSystem, Environment } from "./system.js";

function values(system: CiSystem, env: Environment, project?: string): Record<string, string> {
  const variables = system.sections(env, project).flatMap((section) => section.variables);
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

const gitlabJob = {
  CI_REGISTRY: "registry.example:5050",
  CI_REGISTRY_IMAGE: "registry.example:5050/group/shop",
  CI_JOB_TOKEN: "job-token",
  CI_ENVIRONMENT_SLUG: "staging",
  CI_PROJECT_URL: "https://gitlab.example/group/shop",
  CI_COMMIT_SHA: "3f1c",
  CI_COMMIT_TAG: "v1.0.0",
  CI_PIPELINE_URL: "https://gitlab.example/group/shop/-/pipelines/7",
  CI_JOB_URL: "https://gitlab.example/group/shop/-/jobs/8",
  TRDL_USE_WERF_GROUP_CHANNEL: "2 stable",
};

const githubJob = {
  GITHUB_REPOSITORY: "Acme/Shop",
  GITHUB_SHA: "3f1c",
  GITHUB_REF_TYPE: "tag",
  GITHUB_REF_NAME: "v1.0.0",
  GITHUB_RUN_ID: "42",
  GITHUB_ACTOR: "somebody",
  GITHUB_TOKEN: "a-token",
};

describe("GitLab", () => {
  it("tells all variables of the specification", () => {
    expect(values(gitlab, gitlabJob)).toEqual({
      WERF_REPO: "registry.example:5050/group/shop",
      WERF_REPO_CONTAINER_REGISTRY: "gitlab",
      WERF_ENV: "staging",
      WERF_ADD_ANNOTATION_WERF_RELEASE_CHANNEL: "werf.io/release-channel=2 stable",
      WERF_ADD_ANNOTATION_PROJECT_GIT: "project.werf.io/git=https://gitlab.example/group/shop",
      WERF_ADD_ANNOTATION_CI_COMMIT: "ci.werf.io/commit=3f1c",
      WERF_ADD_ANNOTATION_CI_GIT_TAG: "ci.werf.io/tag=v1.0.0",
      WERF_ADD_ANNOTATION_GITLAB_CI_PIPELINE_URL:
        "gitlab.ci.werf.io/pipeline-url=https://gitlab.example/group/shop/-/pipelines/7",
      WERF_ADD_ANNOTATION_GITLAB_CI_JOB_URL:
        "gitlab.ci.werf.io/job-url=https://gitlab.example/group/shop/-/jobs/8",
      WERF_LOG_COLOR_MODE: "on",
      WERF_LOG_PROJECT_DIR: "1",
      WERF_ENABLE_PROCESS_EXTERMINATOR: "1",
      WERF_LOG_TERMINAL_WIDTH: "130",
    });
  });

  it("has no value for what the job doesn't say", () => {
    const { WERF_REPO, WERF_ENV, WERF_ADD_ANNOTATION_CI_GIT_TAG } = values(gitlab, {});
    expect([WERF_REPO, WERF_ENV, WERF_ADD_ANNOTATION_CI_GIT_TAG]).toEqual(["", "", ""]);
    expect(values(gitlab, {})).not.toHaveProperty("WERF_REPO_CONTAINER_REGISTRY");
  });

  it.each([
    ["registry.example:5050/other/app", true],
    ["registry.example:5050", true],
    ["registry.example:50505/group/app", false],
    ["registry.elsewhere/app", false],
  ])("with the repository %s: GitLab's registry is %s", (repo, isGitlab) => {
    const told = values(gitlab, { ...gitlabJob, WERF_REPO: repo });
    expect("WERF_REPO_CONTAINER_REGISTRY" in told).toBe(isGitlab);
  });

  it.each([
    ["12.1.3", "on"],
    ["12.1.4", "off"],
    ["12.1.17-ee", "off"],
    ["12.2.0-pre", "off"],
    ["12.2.0", "on"],
    ["17.11.2-ee", "on"],
    ["12.10.4", "on"],
  ])("of version %s has colours %s", (version, mode) => {
    expect(values(gitlab, { CI_SERVER_VERSION: version })["WERF_LOG_COLOR_MODE"]).toBe(mode);
  });

  it("logs in by the job's token to the host of the project's registry, and only with both", () => {
    expect(gitlab.login(gitlabJob)).toEqual({
      host: "registry.example:5050",
      username: "gitlab-ci-token",
      password: "job-token",
    });
    expect(gitlab.login({ ...gitlabJob, CI_JOB_TOKEN: "" })).toBeUndefined();
    expect(gitlab.login({ CI_JOB_TOKEN: "x" })).toBeUndefined();
  });
});

describe("GitHub", () => {
  it("tells all variables of the specification", () => {
    expect(values(github, githubJob, "shop")).toEqual({
      WERF_REPO: "ghcr.io/acme/shop/shop",
      WERF_ADD_ANNOTATION_WERF_RELEASE_CHANNEL: "",
      WERF_ADD_ANNOTATION_PROJECT_GIT: "project.werf.io/git=https://github.com/Acme/Shop",
      WERF_ADD_ANNOTATION_CI_COMMIT: "ci.werf.io/commit=3f1c",
      WERF_ADD_ANNOTATION_CI_GIT_TAG: "ci.werf.io/tag=v1.0.0",
      WERF_ADD_ANNOTATION_GITHUB_ACTIONS_RUN_URL:
        "github.ci.werf.io/workflow-run-url=https://github.com/Acme/Shop/actions/runs/42",
      WERF_REPO_GITHUB_TOKEN: "a-token",
      WERF_LOG_COLOR_MODE: "on",
      WERF_LOG_PROJECT_DIR: "1",
      WERF_ENABLE_PROCESS_EXTERMINATOR: "1",
      WERF_LOG_TERMINAL_WIDTH: "130",
    });
  });

  it("takes a branch for no tag", () => {
    const told = values(github, { ...githubJob, GITHUB_REF_TYPE: "branch" });
    expect(told["WERF_ADD_ANNOTATION_CI_GIT_TAG"]).toBe("");
  });

  it("names its own server and registry where it isn't github.com", () => {
    const env = { ...githubJob, GITHUB_SERVER_URL: "https://git.acme.example" };
    const told = values(github, env, "shop");
    expect(told["WERF_REPO"]).toBe("containers.git.acme.example/acme/shop/shop");
    expect(told["WERF_ADD_ANNOTATION_PROJECT_GIT"]).toContain("=https://git.acme.example/Acme/Shop");
    expect(told["WERF_ADD_ANNOTATION_GITHUB_ACTIONS_RUN_URL"]).toContain("=https://git.acme.example/Acme/");
    expect(github.login(env)?.host).toBe("containers.git.acme.example");
  });

  it("has no repository without a project or a GITHUB_REPOSITORY, and needs the project only for that", () => {
    expect(values(github, githubJob)["WERF_REPO"]).toBe("");
    expect(values(github, {}, "shop")["WERF_REPO"]).toBe("");
    expect(github.needsProject(githubJob)).toBe(true);
    expect(github.needsProject({ ...githubJob, WERF_REPO: "registry.example/app" })).toBe(false);
    expect(github.needsProject({})).toBe(false);
  });

  it.each([
    [undefined, "ghcr.io"],
    ["docker.pkg.github.com/acme/shop/app", "docker.pkg.github.com"],
    ["docker.pkg.github.community/app", "ghcr.io"],
  ])("with the repository %s logs in to %s", (WERF_REPO, host) => {
    expect(github.login({ ...githubJob, WERF_REPO })).toEqual({
      host,
      username: "somebody",
      password: "a-token",
    });
  });
});
