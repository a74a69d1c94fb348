import { WerfError } from "../core/errors.js";

/** Docker's config.json, as far as it is parsed. */
export type DockerConfigJson = Readonly<Record<string, unknown>>;

/** Helpers that make tokens out of the machine's identity and keep no logins. */
const tokenHelpers = /^(?:ecr-login|gcloud|gcr|acr|acr-env|env)$/;

/** `$DOCKER_AUTH_CONFIG`: docs.gitlab.com, "Access an image from a private container registry". @throws WerfError `ci-env/auth-config-invalid` */
export function parseAuthConfig(text: string | undefined): DockerConfigJson {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch {
    // The parser's message quotes what it read, which may be a secret.
  }
  if (isObject(value)) return value;
  const what = text ? "is not a JSON object" : "is empty";
  throw new WerfError("ci-env/auth-config-invalid", `--use-docker-auth-config: $DOCKER_AUTH_CONFIG ${what}`, {
    hint: "make it a CI variable that has the form of Docker's config.json",
  });
}

/** Several files as one: what an earlier one says counts. */
export function mergeConfigs(configs: readonly DockerConfigJson[]): DockerConfigJson {
  const merge = (later: DockerConfigJson, earlier: DockerConfigJson): DockerConfigJson => {
    const both = (key: string): DockerConfigJson => {
      const entries = { ...objectOrEmpty(later[key]), ...objectOrEmpty(earlier[key]) };
      return Object.keys(entries).length === 0 ? {} : { [key]: entries };
    };
    return { ...later, ...earlier, ...both("auths"), ...both("credHelpers") };
  };
  return [...configs].reverse().reduce(merge, {});
}

/**
 * What a job gets of it. A store for all hosts goes, so that no login of the job ends in the keychain of the
 * machine, where other jobs see it; helpers that are named for a host stay, but for the host that the job
 * logs in to.
 */
export function privateConfig(config: DockerConfigJson, loginHost: string | undefined): DockerConfigJson {
  const { credsStore, credHelpers, ...rest } = config;
  const helpers = Object.entries(objectOrEmpty(credHelpers)).filter(
    ([key]) => key.toLowerCase() !== loginHost,
  );
  const keepsStore = typeof credsStore === "string" && tokenHelpers.test(credsStore);
  return {
    ...rest,
    ...(keepsStore ? { credsStore } : {}),
    ...(helpers.length === 0 ? {} : { credHelpers: Object.fromEntries(helpers) }),
  };
}

function objectOrEmpty(value: unknown): DockerConfigJson {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is DockerConfigJson {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
