import { expect, it } from "vitest";
import { formatPlatform, matchesPlatform, parsePlatform } from "./platform.js";

it.each([
  ["linux/amd64", "linux/amd64"],
  ["Linux/x86_64", "linux/amd64"],
  ["linux/aarch64", "linux/arm64"],
  ["linux/arm64/v8", "linux/arm64"],
  ["linux/arm", "linux/arm/v7"],
  ["linux/arm/v6", "linux/arm/v6"],
  ["linux/armhf", "linux/arm/v7"],
  ["windows/amd64", "windows/amd64"],
])("reads %s as %s", (text, normal) => {
  expect(formatPlatform(parsePlatform(text))).toBe(normal);
});

it.each(["", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "linux/am d64"])("refuses %j", (text) => {
  expect(() => parsePlatform(text)).toThrow("is not a platform");
});

it("matches by what the names mean", () => {
  expect(
    matchesPlatform(parsePlatform("linux/arm64"), { os: "linux", architecture: "arm64", variant: "v8" }),
  ).toBe(true);
  expect(
    matchesPlatform(parsePlatform("linux/arm/v6"), { os: "linux", architecture: "arm", variant: "v7" }),
  ).toBe(false);
});
