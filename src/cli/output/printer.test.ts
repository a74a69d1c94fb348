import { expect, it } from "vitest";
import type { WerfEvent } from "../../core/events.js";
import { formatBytes } from "./bytes.js";
import { createPrinter, type LogLevel } from "./printer.js";

function printed(level: LogLevel, events: readonly WerfEvent[]): string {
  let text = "";
  let now = 0;
  const print = createPrinter({
    level,
    color: false,
    write: (t) => {
      text += t;
    },
    now: () => (now += 500),
  });
  for (const event of events) print(event);
  return text;
}

const events: readonly WerfEvent[] = [
  { code: "task/started", task: "a", title: "image backend" },
  { code: "task/started", task: "b", parent: "a", title: "layer" },
  { code: "task/progress", task: "b", bytes: 1024 },
  { code: "task/progress", task: "b", bytes: 512 },
  { code: "task/ended", task: "b", result: "done" },
  { code: "note", level: "verbose", message: "a detail" },
  { code: "task/ended", task: "a", result: "cached", detail: "there already" },
  { code: "warning", id: "test/warning", message: "look", hint: "do this" },
];

it("prints a line an event, nested tasks indented, with bytes and seconds", () => {
  expect(printed("normal", events)).toBe(
    "… image backend\n  ✓ layer (1.5 KiB, 0.50 s)\n= image backend (there already, 1.50 s)\nWarning: look\n  do this\n",
  );
});

it("tells the bytes that travelled, not those that didn't have to", () => {
  const copied = [
    { code: "task/started", task: "a", title: "Copy" },
    { code: "task/progress", task: "a", bytes: 2048 },
    { code: "task/ended", task: "a", result: "done", detail: "blobs: 1 sent, 1 mounted", bytes: 1024 },
  ] as const;
  expect(printed("normal", copied)).toContain("✓ Copy (blobs: 1 sent, 1 mounted, 1.0 KiB, 0.50 s)\n");
});

it("prints only warnings when quiet, and more when verbose", () => {
  expect(printed("quiet", events)).toBe("Warning: look\n  do this\n");
  expect(printed("verbose", events)).toContain("a detail\n");
});

it.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1536, "1.5 KiB"],
  [1024 ** 4 * 3000, "3000.0 TiB"],
])("formats %d bytes", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
