import { stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { openRegistryRoot, type RegistryRoot } from "../embedded-registry/store/root.js";

/**
 * The root to work on: the named one, or the local store; undefined when nothing was ever built into that.
 * @throws WerfError `actions/no-registry` when the named directory is no registry's
 */
export async function openRoot(
  run: RunContext,
  directory: string | undefined,
): Promise<RegistryRoot | undefined> {
  const path = directory === undefined ? join(run.werfHome, "local") : absolute(run.cwd, directory);
  if ((await isDirectory(join(path, "blobs"))) || (await isDirectory(join(path, "repositories")))) {
    return openRegistryRoot(path);
  }
  if (directory === undefined) return undefined;
  throw new WerfError("actions/no-registry", `there is no registry in ${path}`, {
    hint: "--root is the directory that werf registry serve was given",
  });
}

function absolute(cwd: string, path: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path);
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
