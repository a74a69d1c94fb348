import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { WerfError } from "../../../core/errors.js";
import type { ExecOptions, ExecResult } from "../../../core/exec.js";
import type { RunContext } from "../../../core/run-context.js";

/** Buildah with a storage of its own: nothing of the user's images is read, tagged or removed. */
export interface Buildah {
  readonly version: BuildahVersion;
  /** What is kept between builds. */
  readonly directory: string;
  /** A non-zero exit is a value. */
  run(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

export interface BuildahVersion {
  readonly major: number;
  readonly minor: number;
}

/** `buildah version 1.28.2 (image-spec ...)`; `undefined` when the program isn't there or isn't buildah. */
export async function buildahVersion(run: RunContext): Promise<BuildahVersion | undefined> {
  const result = await run.exec("buildah", ["--version"]).catch((error: unknown) => {
    if (error instanceof WerfError && error.code === "core/exec-missing") return undefined;
    throw error;
  });
  const said = Buffer.from(result?.stdout ?? "").toString("utf8");
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(said) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor) };
}

/**
 * Opens the storage below `werfHome`, which keeps layers between builds. The driver is buildah's choice (or
 * STORAGE_DRIVER); where that one doesn't work, as overlay in many containers, plain copies (vfs) do.
 * @throws WerfError `build/buildah-missing`, `build/buildah-unusable`
 */
export async function openBuildah(run: RunContext): Promise<Buildah> {
  const version = await buildahVersion(run);
  if (version === undefined) {
    throw new WerfError("build/buildah-missing", "the program buildah is not there", { hint: installHint });
  }
  const answers: string[] = [];
  for (const driver of ["default", "vfs"] as const) {
    const directory = join(run.werfHome, "buildah", driver);
    const storage = await storageOptions(directory, driver);
    const probe = await run.exec("buildah", [...storage, "info"]);
    if (probe.exitCode === 0) {
      return {
        version,
        directory,
        run: (args, options) => run.exec("buildah", [...storage, ...args], options),
      };
    }
    answers.push(probe.stderr.trim().split("\n").slice(-2).join("\n"));
  }
  throw new WerfError("build/buildah-unusable", `buildah can't open its storage: ${answers.join("\n")}`, {
    hint: "without root, buildah needs newuidmap and ranges in /etc/subuid and /etc/subgid; in a container, it needs /dev/fuse or STORAGE_DRIVER=vfs",
  });
}

export const installHint =
  "install buildah (Debian, Ubuntu: apt install buildah; Fedora: dnf install buildah), or take RUN out of the Dockerfile";

async function storageOptions(directory: string, driver: "default" | "vfs"): Promise<string[]> {
  const [root, runRoot] = [join(directory, "storage"), join(directory, "run")];
  await mkdir(root, { recursive: true, mode: 0o700 });
  await mkdir(runRoot, { recursive: true, mode: 0o700 });
  return ["--root", root, "--runroot", runRoot, ...(driver === "vfs" ? ["--storage-driver", "vfs"] : [])];
}
