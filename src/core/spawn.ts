import { spawn } from "node:child_process";
import { Readable, type Writable } from "node:stream";
import { WerfError } from "./errors.js";
import type { Exec, ExecOptions, ExecResult } from "./exec.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** The real `Exec`: programs inherit `env` and `cwd`, and get SIGTERM when the signal aborts. */
export function createExec(defaults: {
  readonly env: Environment;
  readonly cwd: string;
  readonly signal: AbortSignal;
}): Exec {
  return (file, args, options = {}) => run(file, args, options, defaults);
}

async function run(
  file: string,
  args: readonly string[],
  options: ExecOptions,
  defaults: { readonly env: Environment; readonly cwd: string; readonly signal: AbortSignal },
): Promise<ExecResult> {
  const signal = options.signal ?? defaults.signal;
  signal.throwIfAborted();
  const child = spawn(file, args, {
    cwd: options.cwd ?? defaults.cwd,
    env: { ...defaults.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    signal,
  });
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) => resolve(code ?? 128 + (by === "SIGKILL" ? 9 : 15)));
  });
  // A program that ends before it has read its input is no failure of ours.
  child.stdin.on("error", () => undefined);
  feed(child.stdin, options.stdin);
  try {
    const [exitCode] = await Promise.all([
      ended,
      consume(child.stdout, options.onStdout ?? ((chunk) => void stdout.push(chunk))),
      consume(child.stderr, options.onStderr ?? ((chunk) => void stderr.push(chunk))),
    ]);
    return { exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString("utf8") };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new WerfError("core/exec-missing", `the program "${file}" is not there`, {
      hint: `install ${file}, or put it on PATH`,
      cause,
    });
  }
}

function feed(stdin: Writable, source: ExecOptions["stdin"]): void {
  if (source === undefined) stdin.end();
  else if (source instanceof Readable) source.once("error", (e) => stdin.destroy(e)).pipe(stdin);
  else stdin.end(source);
}

async function consume(stream: Readable, take: (chunk: Uint8Array) => void | Promise<void>): Promise<void> {
  for await (const chunk of stream) await take(chunk as Uint8Array);
}
