import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Exec } from "./exec.js";
import { createExec } from "./spawn.js";

let directory: string;
let interrupt: AbortController;
let exec: Exec;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "werf-ts-spawn-"));
  interrupt = new AbortController();
  const env = { PATH: process.env["PATH"], KEPT: "1", REMOVED: "1" };
  exec = createExec({ env, cwd: directory, signal: interrupt.signal });
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const node = (script: string, options?: Parameters<Exec>[2]): ReturnType<Exec> =>
  exec(process.execPath, ["-e", script], options);

it("gives output and exit code, with the run's environment and directory", async () => {
  const script = `process.stdin.pipe(process.stdout);
    process.stdin.on("end", () => { console.error(process.cwd(), process.env.KEPT, process.env.REMOVED); process.exitCode = 3 });`;
  const result = await node(script, { stdin: "text", env: { REMOVED: undefined } });
  expect(Buffer.from(result.stdout).toString()).toBe("text");
  expect(result.stderr).toBe(`${directory} 1 undefined\n`);
  expect(result.exitCode).toBe(3);
});

it("names a program that isn't there", async () => {
  await expect(exec("no-such-program", [])).rejects.toMatchObject({ code: "core/exec-missing" });
});

it("waits, when interrupted, until the program has ended", async () => {
  // It cleans up after SIGTERM, as buildah does, and takes its time.
  const script = `process.on("SIGTERM", () => setTimeout(() => { require("fs").writeFileSync("cleaned", ""); process.exit(1) }, 50));
    setInterval(() => {}, 1000); process.stdout.write("ready");`;
  const work = node(script, { onStdout: () => interrupt.abort(new Error("received SIGINT")) });
  await expect(work).rejects.toThrow("received SIGINT");
  expect(await readdir(directory)).toEqual(["cleaned"]);
  await expect(node("")).rejects.toThrow("received SIGINT");
});

it("ends a program whose output nobody takes any more", async () => {
  const script = `setInterval(() => process.stdout.write("x"), 5)`;
  const work = node(script, {
    onStdout: () => {
      throw new Error("the disk is full");
    },
  });
  await expect(work).rejects.toThrow("the disk is full");
});
