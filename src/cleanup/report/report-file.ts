import { randomUUID } from "node:crypto";
import { chmod, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { messageOf, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import type { CleanupReport } from "./report.js";

/**
 * Where the report goes: absolute, with `.json` added when there is no extension.
 * @throws WerfError `cleanup/report-path` for another extension
 */
export function reportPath(run: Pick<RunContext, "cwd">, path: string): string {
  const extension = extname(path);
  if (extension === "") return resolve(run.cwd, `${path}.json`);
  if (extension === ".json") return resolve(run.cwd, path);
  throw new WerfError("cleanup/report-path", `the cleanup report is JSON, but ${path} ends in ${extension}`, {
    hint: "give --cleanup-report-path a name that ends in .json, or no extension",
    exitCode: 2,
  });
}

/** Fails before anything is deleted when the report could not be written. @throws WerfError `cleanup/report-file` */
export async function checkReportFile(file: string): Promise<void> {
  const draft = draftOf(file);
  try {
    const found = await stat(file).catch(() => undefined);
    if (found?.isDirectory() === true) throw new Error("it is a directory");
    await (await open(draft, "wx")).close();
  } catch (cause) {
    throw notWritable(file, cause);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Tab-indented, beside the file and then over it. @throws WerfError `cleanup/report-file` */
export async function saveReport(file: string, report: CleanupReport): Promise<void> {
  const draft = draftOf(file);
  try {
    await writeFile(draft, `${JSON.stringify(report, undefined, "\t")}\n`, { flag: "wx" });
    // Whatever the umask: what reads the report in CI is often another user.
    await chmod(draft, 0o644);
    await rename(draft, file);
  } catch (cause) {
    await rm(draft, { force: true });
    throw notWritable(file, cause);
  }
}

function draftOf(file: string): string {
  return `${file}.${randomUUID()}`;
}

function notWritable(file: string, cause: unknown): WerfError {
  return new WerfError(
    "cleanup/report-file",
    `the cleanup report can't be written to ${file}: ${messageOf(cause)}`,
    {
      hint: "choose another place with --cleanup-report-path",
      cause,
    },
  );
}
