import { type CiSystem, type Environment, hostOfAddress, logVariables } from "./system.js";
import { annotation, soft } from "./variable.js";

const publicServer = "https://github.com";
/** The registry of packages that came before ghcr.io. */
const formerRegistry = "docker.pkg.github.com";

/** GitHub Actions: docs.github.com, "Variables reference", on github.com and on servers of one's own. */
export const github: CiSystem = {
  needsProject: (env) => !env["WERF_REPO"] && Boolean(env["GITHUB_REPOSITORY"]),

  login(env) {
    const { GITHUB_ACTOR: username, GITHUB_TOKEN: password, WERF_REPO: chosen } = env;
    if (!username || !password) return undefined;
    const isFormer = chosen !== undefined && hostOfAddress(chosen) === formerRegistry;
    return { host: isFormer ? formerRegistry : containerRegistry(env), username, password };
  },

  sections(env, project) {
    const { GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: runId } = env;
    const url = repository ? `${serverUrl(env)}/${repository}` : "";
    const image =
      repository && project ? `${containerRegistry(env)}/${repository.toLowerCase()}/${project}` : "";
    const tag = env["GITHUB_REF_TYPE"] === "tag" ? env["GITHUB_REF_NAME"] : "";
    return [
      { title: "REPO", variables: [soft("WERF_REPO", image)] },
      {
        title: "DEPLOY",
        variables: [
          annotation("WERF_RELEASE_CHANNEL", "werf.io/release-channel", env["TRDL_USE_WERF_GROUP_CHANNEL"]),
          annotation("PROJECT_GIT", "project.werf.io/git", url),
          annotation("CI_COMMIT", "ci.werf.io/commit", env["GITHUB_SHA"]),
          annotation("CI_GIT_TAG", "ci.werf.io/tag", tag),
          annotation(
            "GITHUB_ACTIONS_RUN_URL",
            "github.ci.werf.io/workflow-run-url",
            url && runId ? `${url}/actions/runs/${runId}` : "",
          ),
        ],
      },
      {
        title: "CLEANUP",
        variables: [{ ...soft("WERF_REPO_GITHUB_TOKEN", env["GITHUB_TOKEN"]), secret: true }],
      },
      { title: "OTHER", variables: logVariables("on") },
    ];
  },
};

function serverUrl(env: Environment): string {
  return (env["GITHUB_SERVER_URL"] || publicServer).replace(/\/+$/, "");
}

/** docs.github.com, "Working with the Container registry": ghcr.io, elsewhere `containers.HOSTNAME`. */
function containerRegistry(env: Environment): string {
  const host = hostOfAddress(serverUrl(env));
  return host === hostOfAddress(publicServer) ? "ghcr.io" : `containers.${host}`;
}
