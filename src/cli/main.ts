#!/usr/bin/env node
import { homedir } from "node:os";
import { runCli } from "./cli.js";

const architectures: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  arm: "arm/v7",
  ia32: "386",
};

// An image runs on Linux whatever the machine is: Docker Desktop's default as well.
const platform = `linux/${architectures[process.arch] ?? process.arch}`;
const interrupt = new AbortController();
let signalled = 0;
const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
for (const [signal, code] of Object.entries(signals)) {
  process.on(signal, () => {
    signalled = code;
    // The second time the person means it.
    if (interrupt.signal.aborted) process.exit(signalled);
    interrupt.abort(new Error(`received ${signal}`));
  });
}
// `werf ... 2>&1 | head` closes our output early; that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

const exitCode = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  home: process.env["HOME"] ?? homedir(),
  platform,
  colors: process.stderr.isTTY === true && !process.env["NO_COLOR"],
  signal: interrupt.signal,
  stdin: () => process.stdin,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
process.exitCode = signalled !== 0 && exitCode !== 0 ? signalled : exitCode;
