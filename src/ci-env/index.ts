import { github } from "./github.js";
import { gitlab } from "./gitlab.js";
import type { CiSystem } from "./system.js";

/** By the name that `werf ci-env` takes. */
export const ciSystems: ReadonlyMap<string, CiSystem> = new Map([
  ["gitlab", gitlab],
  ["github", github],
]);
