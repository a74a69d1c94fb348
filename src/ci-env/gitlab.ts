import { type CiSystem, type Environment, hostOfAddress, logVariables } from "./system.js";
import { annotation, type CiVariable, soft } from "./variable.js";

/** GitLab CI/CD: docs.gitlab.com, "Predefined CI/CD variables reference". */
export const gitlab: CiSystem = {
  needsProject: () => false,

  login(env) {
    const { CI_REGISTRY_IMAGE: image, CI_JOB_TOKEN: password } = env;
    if (!image || !password) return undefined;
    return { host: hostOfAddress(image), username: "gitlab-ci-token", password };
  },

  sections: (env) => [
    { title: "REPO", variables: repository(env) },
    {
      title: "DEPLOY",
      variables: [
        soft("WERF_ENV", env["CI_ENVIRONMENT_SLUG"]),
        annotation("WERF_RELEASE_CHANNEL", "werf.io/release-channel", env["TRDL_USE_WERF_GROUP_CHANNEL"]),
        annotation("PROJECT_GIT", "project.werf.io/git", env["CI_PROJECT_URL"]),
        annotation("CI_COMMIT", "ci.werf.io/commit", env["CI_COMMIT_SHA"]),
        annotation("CI_GIT_TAG", "ci.werf.io/tag", env["CI_COMMIT_TAG"]),
        annotation("GITLAB_CI_PIPELINE_URL", "gitlab.ci.werf.io/pipeline-url", env["CI_PIPELINE_URL"]),
        annotation("GITLAB_CI_JOB_URL", "gitlab.ci.werf.io/job-url", env["CI_JOB_URL"]),
      ],
    },
    { title: "OTHER", variables: logVariables(showsColors(env["CI_SERVER_VERSION"]) ? "on" : "off") },
  ],
};

function repository(env: Environment): CiVariable[] {
  const { WERF_REPO: chosen, CI_REGISTRY_IMAGE: image } = env;
  const repo = soft("WERF_REPO", image);
  const isGitlab = image && (!chosen || isBelow(chosen, env["CI_REGISTRY"] || hostOfAddress(image)));
  return isGitlab ? [repo, soft("WERF_REPO_CONTAINER_REGISTRY", "gitlab")] : [repo];
}

/** `registry.example` has `registry.example/app`, and not `registry.example.org/app`. */
function isBelow(address: string, registry: string): boolean {
  return `${address.toLowerCase()}/`.startsWith(`${registry.toLowerCase().replace(/\/+$/, "")}/`);
}

/** The job log of GitLab between 12.1.3 and 12.2.0 garbles colours. */
function showsColors(version: string | undefined): boolean {
  const match = /^v?12\.(?:1\.(\d+)|2\.0-)/.exec(version ?? "");
  return match === null || (match[1] !== undefined && Number(match[1]) <= 3);
}
