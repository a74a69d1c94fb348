import { afterEach, beforeEach, expect, it } from "vitest";
import { type TestRun, testRun } from "../../../../test/support/run-context.js";
import { BuildOutput } from "./output.js";

let run: TestRun;
beforeEach(async () => {
  run = await testRun();
});
afterEach(() => run.dispose());

function messages(): string[] {
  return run.events.flatMap((event) => (event.code === "note" ? [event.message] : []));
}

it("makes lines of pieces, also where a letter is cut, and keeps the two streams apart", () => {
  const output = new BuildOutput(run, "t");
  const bytes = Buffer.from("größe\nrest");
  output.take("stdout", bytes.subarray(0, 3));
  output.take("stderr", Buffer.from("error\n"));
  output.take("stdout", bytes.subarray(3));
  expect(messages()).toEqual(["error", "größe"]);
  expect(output.end()).toEqual(["error", "größe", "rest"]);
});

it("lets nothing through that could take the terminal over", () => {
  const output = new BuildOutput(run, undefined);
  output.take("stdout", Buffer.from("\x1b[31mred\x1b[0m \x1b]0;title\x07x\n10%\r50%\r100%\r\n\x1b[2J\x07\n"));
  expect(output.end()).toEqual(["red x", "100%"]);
});

it("shows no secret", () => {
  run.secrets.add("s3cr3t-value");
  const output = new BuildOutput(run, undefined);
  output.take("stderr", Buffer.from("login with s3cr3t-value\n"));
  expect(messages()).toEqual(["login with ***"]);
});

it("keeps only the end", () => {
  const output = new BuildOutput(run, undefined);
  output.take("stdout", Buffer.from(Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join("")));
  const last = output.end();
  expect(last.at(-1)).toBe("line 99");
  expect(last.length).toBe(25);
});
