import { PassThrough } from "node:stream";
import { beforeEach, expect, test } from "vitest";
import { createInput, type Input, type InputStream } from "./input.js";

/** A terminal as Node shows it, without the kernel's half. */
class Terminal extends PassThrough implements InputStream {
  readonly isTTY: boolean = true;
  readonly modes: boolean[] = [];
  setRawMode(raw: boolean): void {
    this.modes.push(raw);
  }
}

let terminal: Terminal;
let shown: string;
let interrupt: AbortController;
let input: Input;
beforeEach(() => {
  terminal = new Terminal();
  shown = "";
  interrupt = new AbortController();
  input = createInput({
    stream: () => terminal,
    signal: interrupt.signal,
    write: (text) => {
      shown += text;
    },
  });
});

test("a secret isn't shown, and the terminal is as it was", async () => {
  const answer = input.ask("Password: ", { echo: false });
  terminal.write("pä\u007fässwört\r");
  expect(await answer).toBe("pässwört");
  expect(shown).toBe("Password: \n");
  expect(terminal.modes).toEqual([true, false]);
});

test("what is typed is shown where it may be, and can be corrected", async () => {
  const answer = input.ask("Username: ", { echo: true });
  terminal.write("x\u0015mee\b\u001b\n");
  expect(await answer).toBe("me");
  expect(shown).toBe("Username: x\b \bmee\b \b\n");
});

test("what is typed ahead answers the next question", async () => {
  terminal.write("me\rsec");
  expect(await input.ask("1", { echo: true })).toBe("me");
  const second = input.ask("2", { echo: false });
  terminal.write("ret\r");
  expect(await second).toBe("secret");
  expect(shown).toBe("1me\n2\n");
});

test.each([
  ["Ctrl-C", "abc\u0003", { code: "cli/interrupted", exitCode: 130 }],
  ["Ctrl-D", "\u0004", { code: "cli/input-ended", exitCode: 2 }],
])("%s ends the question", async (_, typed, error) => {
  const answer = input.ask("?", { echo: false });
  terminal.write(typed);
  await expect(answer).rejects.toMatchObject(error);
  expect(terminal.modes).toEqual([true, false]);
});

test("the end of input and a signal end the question", async () => {
  const first = input.ask("?", { echo: false });
  interrupt.abort(new Error("received SIGTERM"));
  await expect(first).rejects.toThrow("received SIGTERM");
  terminal = new Terminal();
  const other = createInput({
    stream: () => terminal,
    signal: new AbortController().signal,
    write: () => undefined,
  });
  const second = other.ask("?", { echo: false });
  terminal.end();
  await expect(second).rejects.toMatchObject({ code: "cli/input-ended" });
});

test("piped input is read to its end, within a bound", async () => {
  terminal.end("se\ncret\n");
  expect(await input.readAll()).toBe("se\ncret\n");
  terminal = new Terminal();
  terminal.end("x".repeat(70_000));
  await expect(input.readAll()).rejects.toMatchObject({ code: "cli/input-too-long" });
});
