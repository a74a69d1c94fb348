import { spawn } from "node:child_process";
import { Readable, type Writable } from "node:stream";
import { settleAll } from "./concurrency.js";
import { WerfError } from "./errors.js";
import type { Exec, ExecOptions, ExecResult } from "./exec.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Milliseconds that a program has between SIGTERM and SIGKILL. */
const graceMs = 5000;

/**
 * The real `Exec`: programs inherit `env` and `cwd`. When the signal aborts, or what takes the output fails, the
 * program gets SIGTERM, and its end is waited for: nothing writes on into directories that are removed next.
 */
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
  });
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  let impatience: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill("SIGTERM");
    impatience ??= setTimeout(() => {
      child.kill("SIGKILL");
      // Others that the program has started may hold these open.
      child.stdout.destroy();
      child.stderr.destroy();
    }, graceMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) => resolve(code ?? 128 + (by === "SIGKILL" ? 9 : 15)));
  });
  // A program that ends before it has read its input is no failure of ours.
  child.stdin.on("error", () => undefined);
  feed(child.stdin, options.stdin);
  try {
    const output = [
      consume(child.stdout, options.onStdout ?? ((chunk) => void stdout.push(chunk))),
      consume(child.stderr, options.onStderr ?? ((chunk) => void stderr.push(chunk))),
    ];
    const [exitCode = 0] = await settleAll([ended, ...output.map((all) => all.then(() => 0))], stop);
    signal.throwIfAborted();
    return { exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString("utf8") };
  } catch (cause) {
    signal.throwIfAborted();
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new WerfError("core/exec-missing", `the program "${file}" is not there`, {
      hint: `install ${file}, or put it on PATH`,
      cause,
    });
  } finally {
    clearTimeout(impatience);
    signal.removeEventListener("abort", stop);
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
