import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CliResult } from "./cli.js";

const binary = fileURLToPath(new URL("../../dist/bin/werf.js", import.meta.url));

type Environment = Readonly<Record<string, string>>;

/** A machine on which shells run jobs: a home, a directory for temporary files, and `werf` on PATH. */
export interface ShellMachine {
  readonly home: string;
  readonly temporary: string;
  /** Puts a program on PATH, before all others. */
  program(name: string, script: string): void;
  /** Runs a script in a real shell, beside which the test's servers go on answering. */
  run(shell: string, script: string, env?: Environment, cwd?: string): Promise<CliResult>;
  dispose(): void;
}

export function shellMachine(): ShellMachine {
  const base = mkdtempSync(join(tmpdir(), "werf-ts-shell-"));
  const [home, temporary, bin] = [join(base, "home"), join(base, "tmp"), join(base, "bin")];
  for (const directory of [home, temporary, bin]) mkdirSync(directory);
  const machine: ShellMachine = {
    home,
    temporary,
    program(name, script) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    },
    run: (shell, script, env = {}, cwd = home) =>
      new Promise((resolve, reject) => {
        const own = { PATH: `${bin}:${process.env["PATH"]}`, HOME: home, TMPDIR: temporary };
        const child = spawn(shell, ["-c", script], {
          cwd,
          env: { ...own, ...env },
          stdio: ["ignore", "pipe", "pipe"],
        });
        const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
        child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
        child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
        child.once("error", reject);
        child.once("close", (code) =>
          resolve({
            exitCode: code ?? -1,
            stdout: Buffer.concat(stdout).toString(),
            stderr: Buffer.concat(stderr).toString(),
          }),
        );
      }),
    dispose: () => rmSync(base, { recursive: true, force: true }),
  };
  machine.program("werf", `exec "${process.execPath}" "${binary}" "$@"`);
  return machine;
}
