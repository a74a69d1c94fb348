import { describe, expect, test } from "vitest";
import { readContentRange, readRange } from "./range.js";

describe("Range of 10 bytes", () => {
  test.each([
    ["bytes=0-3", { kind: "part", start: 0, end: 3 }],
    ["bytes=4-", { kind: "part", start: 4, end: 9 }],
    ["bytes=-3", { kind: "part", start: 7, end: 9 }],
    ["bytes=-30", { kind: "part", start: 0, end: 9 }],
    ["bytes=5-100", { kind: "part", start: 5, end: 9 }],
    ["Bytes=9-9", { kind: "part", start: 9, end: 9 }],
    ["bytes=10-", { kind: "unsatisfiable" }],
    ["bytes=-0", { kind: "unsatisfiable" }],
    ["bytes=5-4", { kind: "whole" }],
    ["bytes=0-1,3-4", { kind: "whole" }],
    ["bytes=-", { kind: "whole" }],
    ["lines=0-1", { kind: "whole" }],
    [undefined, { kind: "whole" }],
  ])("%s", (header, expected) => {
    expect(readRange(header, 10)).toEqual(expected);
  });

  test("nothing of an empty blob can be had", () => {
    expect(readRange("bytes=0-0", 0)).toEqual({ kind: "unsatisfiable" });
    expect(readRange("bytes=-1", 0)).toEqual({ kind: "unsatisfiable" });
  });
});

describe("Content-Range of a piece", () => {
  test.each([
    ["0-99", { start: 0, end: 99 }],
    ["100-100", { start: 100, end: 100 }],
    ["bytes 5-9/*", { start: 5, end: 9 }],
    ["bytes=5-9", { start: 5, end: 9 }],
    ["9-5", undefined],
    ["-5", undefined],
    ["5-", undefined],
    ["a-b", undefined],
    [`0-${"9".repeat(30)}`, undefined],
  ])("%s", (header, expected) => {
    expect(readContentRange(header)).toEqual(expected);
  });
});
