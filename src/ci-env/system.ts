import { type CiSection, type CiVariable, soft } from "./variable.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The registry that a CI system has of its own, and the job's user there. */
export interface RegistryLogin {
  /** `HOST[:PORT]` */
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

/** What a CI system tells a job through its environment, in werf's words. */
export interface CiSystem {
  /** Whether the name of werf.yaml's project is part of the answer. */
  needsProject(env: Environment): boolean;
  /** `undefined`: the job has no login. */
  login(env: Environment): RegistryLogin | undefined;
  /** In the order of the script. `project` is `undefined` without a werf.yaml. */
  sections(env: Environment, project: string | undefined): readonly CiSection[];
}

/** Terminal output for a log that is kept: colours, and lines of one width. */
export function logVariables(colorMode: "on" | "off"): readonly CiVariable[] {
  return [
    soft("WERF_LOG_COLOR_MODE", colorMode),
    soft("WERF_LOG_PROJECT_DIR", "1"),
    soft("WERF_ENABLE_PROCESS_EXTERMINATOR", "1"),
    soft("WERF_LOG_TERMINAL_WIDTH", "130"),
  ];
}

/** `HOST[:PORT]` of an address, lower-case: a host name has no case. */
export function hostOfAddress(address: string): string {
  const rest = address.replace(/^[a-z]+:\/\//i, "");
  return (rest.split("/")[0] ?? "").toLowerCase();
}
