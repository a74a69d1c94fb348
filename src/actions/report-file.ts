import { randomUUID } from "node:crypto";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { messageOf, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { userPath } from "./project.js";

/**
 * The absolute path of a report; without an extension it gets the first one. Whether it can be written is
 * tried before the work, so that nothing is done whose report is then lost.
 * @throws WerfError `actions/report-path`
 */
export async function checkReportPath(
  run: Pick<RunContext, "cwd">,
  path: string,
  extensions: readonly string[],
): Promise<string> {
  const extension = extname(path);
  if (extension !== "" && !extensions.includes(extension)) {
    throw new WerfError("actions/report-path", `the report ${path} has the extension ${extension}`, {
      hint: `there are ${extensions.join(" and ")}`,
      exitCode: 2,
    });
  }
  const file = userPath(run, extension === "" ? `${path}${extensions[0] ?? ""}` : path);
  const isDirectory = await stat(file).then(
    (s) => s.isDirectory(),
    () => false,
  );
  if (isDirectory)
    throw new WerfError("actions/report-path", `the report ${file} is a directory`, { exitCode: 2 });
  const trial = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(trial, "");
    await rm(trial);
  } catch (cause) {
    throw new WerfError("actions/report-path", `the report ${file} can't be written: ${messageOf(cause)}`, {
      cause,
    });
  }
  return file;
}

/** Replaces the file in one step. */
export async function writeReport(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  await writeFile(temporary, text, { mode: 0o644 });
  await rename(temporary, file);
}
