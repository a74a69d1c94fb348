import { randomBytes } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { ownDirectory, sweepExpired } from "./own-files.js";

const scripts = "scripts";

export interface ScriptFileOptions {
  /** `source` for a script, `.env` for a file of variables: how the name begins. */
  readonly prefix: "source" | ".env";
  readonly extension: string;
}

/** Writes a file of werf's own (0600) and returns its path. Files that have expired are removed. */
export async function writeScriptFile(
  run: RunContext,
  text: string,
  options: ScriptFileOptions,
): Promise<string> {
  const directory = await ownDirectory(run, scripts);
  await sweepExpired(run, directory);
  const seconds = Math.floor(run.clock.now().getTime() / 1000);
  const name = `${options.prefix}_${seconds}_${randomBytes(6).toString("hex")}${options.extension}`;
  const path = join(directory, name);
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
  return path;
}

/**
 * Writes to a path that the user named: it holds tokens, so nobody else reads it.
 * @throws WerfError `ci-env/output-unwritable`
 */
export async function writeOutputFile(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, "w", 0o600);
    try {
      // An earlier file has a mode of its own; a device is left as it is.
      if ((await file.stat()).isFile()) await file.chmod(0o600);
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new WerfError("ci-env/output-unwritable", `can't write ${path}: ${messageOf(cause)}`, {
      hint: "--output-file-path names a file in a directory that is there",
      cause,
    });
  }
}
