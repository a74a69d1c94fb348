import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { runCli } from "../../src/cli/cli.js";
import type { Clock } from "../../src/core/run-context.js";

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliSetting {
  readonly cwd: string;
  readonly home: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What is piped in; absent: standard input is empty. */
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  /** In this process only. */
  readonly clock?: Clock;
  /** In this process only. */
  readonly idleTimeoutMs?: number;
}

/** A cleanup that age doesn't hold up. */
export function cleanupOf(repo: string, ...more: string[]): string[] {
  return [
    "cleanup",
    "--repo",
    repo,
    "--without-kube",
    "--keep-stages-built-within-last-n-hours",
    "0",
    ...more,
  ];
}

/** The bundle that is packed. */
export const binary: string = fileURLToPath(new URL("../../dist/bin/werf.js", import.meta.url));

function environment({ home, env }: CliSetting): Record<string, string | undefined> {
  return { PATH: process.env["PATH"], HOME: home, GIT_CONFIG_NOSYSTEM: "1", ...env };
}

/** A command line in this process: fast, and interruptible at an exact moment. */
export async function werf(argv: readonly string[], setting: CliSetting): Promise<CliResult> {
  let stdout = "";
  let stderr = "";
  const exitCode = await runCli({
    argv,
    env: environment(setting),
    cwd: setting.cwd,
    home: setting.home,
    platform: "linux/amd64",
    colors: false,
    signal: setting.signal ?? new AbortController().signal,
    ...(setting.clock === undefined ? {} : { clock: setting.clock }),
    ...(setting.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: setting.idleTimeoutMs }),
    stdin: () => Readable.from([Buffer.from(setting.stdin ?? "")]),
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { exitCode, stdout, stderr };
}

/** The same as a child process, from the bundle that is packed. `watch` gets it as soon as it runs. */
export function werfProcess(
  argv: readonly string[],
  setting: CliSetting,
  watch?: (child: ChildProcessByStdio<null, Readable, Readable>) => void,
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [binary, ...argv], {
      cwd: setting.cwd,
      env: environment(setting),
      stdio: ["ignore", "pipe", "pipe"],
    });
    watch?.(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ exitCode: code ?? -1, stdout, stderr }));
  });
}
