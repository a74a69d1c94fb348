import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { type CheckResult, checkRoot, type Problem } from "../embedded-registry/store/fsck.js";
import { openRoot } from "./registry-root.js";

export interface FsckSettings {
  /** Default: the local store. */
  readonly root: string | undefined;
  /** Doesn't read the blobs. */
  readonly quick: boolean;
}

/**
 * `werf registry fsck`: looks whether everything in a registry's directory is whole. Undefined: there is none.
 * @throws WerfError `actions/no-registry`, `actions/registry-damaged` after the last problem was told
 */
export async function checkRegistry(
  run: RunContext,
  settings: FsckSettings,
  onProblem: (problem: Problem) => void,
): Promise<CheckResult | undefined> {
  const root = await openRoot(run, settings.root);
  if (root === undefined) return undefined;
  const task = "registry-fsck";
  run.emit({ code: "task/started", task, title: `Check ${root.directory}` });
  let result: CheckResult;
  try {
    result = await checkRoot(root, {
      quick: settings.quick,
      onProblem,
      onBytes: (bytes) => run.emit({ code: "task/progress", task, bytes }),
      signal: run.signal,
    });
  } catch (error) {
    run.emit({ code: "task/ended", task, result: "failed" });
    throw error;
  }
  run.emit({ code: "task/ended", task, result: result.problems === 0 ? "done" : "failed" });
  if (result.problems === 0) return result;
  throw new WerfError("actions/registry-damaged", `${root.directory} has ${result.problems} problems`, {
    hint: "delete the damaged files and push the images once more; docs/registry.md tells how",
  });
}
