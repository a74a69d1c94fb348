import { join } from "node:path";
import type { RunContext } from "../../core/run-context.js";
import type { Store } from "../../oci/store.js";
import { openRegistryRoot } from "./root.js";

/** The store of a project without `--repo`: `local/` below the run's own home, shared by all projects. */
export function openLocalStore(run: Pick<RunContext, "werfHome">, project: string): Store {
  const root = openRegistryRoot(join(run.werfHome, "local"), { addressOf: () => ":local" });
  return root.repository(project);
}
