import { describe, expect, it } from "vitest";
import { formatDuration, parseDurationMs, parseDurationNs } from "./duration.js";
import { isWerfError } from "./errors.js";

describe("parseDurationNs", () => {
  it.each([
    ["0", 0n],
    ["-0", 0n],
    ["168h", 604_800_000_000_000n],
    ["1h30m", 5_400_000_000_000n],
    ["1.5s", 1_500_000_000n],
    [".5s", 500_000_000n],
    ["1.s", 1_000_000_000n],
    ["+5s", 5_000_000_000n],
    ["-1h", -3_600_000_000_000n],
    ["3us", 3_000n],
    ["3\u00b5s", 3_000n],
    ["3\u03bcs", 3_000n],
    ["7ns", 7n],
    ["0.3ns", 0n],
    ["1m1m", 120_000_000_000n],
    ["0.100000000000000000000h", 360_000_000_000n],
    ["2562047h47m16.854775807s", 2n ** 63n - 1n],
  ])("reads %s", (text, expected) => {
    expect(parseDurationNs(text)).toBe(expected);
  });

  it.each(["", "-", "+", ".", "s", ".s", "1", "1h 30m", "1x", "--1s", "1e3s", "2562047h47m16.854775808s"])(
    "refuses %j",
    (text) => {
      expect(() => parseDurationNs(text)).toThrow(/is not a duration/);
    },
  );

  it.each([
    ["7d", "write 168h"],
    ["2w", "write 336h"],
    ["1y", "168h, 1h30m"],
  ])("says what to write instead of %s", (text, hint) => {
    try {
      parseDurationNs(text);
      expect.unreachable();
    } catch (error) {
      expect(isWerfError(error) && error.code).toBe("core/duration-invalid");
      expect(isWerfError(error) && error.hint).toContain(hint);
    }
  });
});

it("gives milliseconds, with a fraction below one", () => {
  expect(parseDurationMs("1h30m")).toBe(5_400_000);
  expect(parseDurationMs("250us")).toBe(0.25);
});

it.each([
  [0, "0s"],
  [604_800_000, "168h"],
  [5_400_000, "1h30m"],
  [1_500, "1.5s"],
  [250, "250ms"],
  [-3_661_000, "-1h1m1s"],
  [0.25, "0.25ms"],
])("prints %d ms as %s, which reads back the same", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
  expect(parseDurationMs(text)).toBe(ms);
});
