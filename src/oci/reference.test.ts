import { describe, expect, it } from "vitest";
import { formatReference, isTag, parseReference, parseRepository } from "./reference.js";

const sha = `sha256:${"a".repeat(64)}`;

describe("parseReference", () => {
  it.each([
    ["alpine", "docker.io/library/alpine"],
    ["library/alpine:3", "docker.io/library/alpine:3"],
    ["docker.io/alpine", "docker.io/library/alpine"],
    ["index.docker.io/org/app:1", "docker.io/org/app:1"],
    ["registry-1.docker.io/org/app", "docker.io/org/app"],
    ["org/app", "docker.io/org/app"],
    ["localhost/app:1", "localhost/app:1"],
    ["localhost:5000/app", "localhost:5000/app"],
    ["127.0.0.1:5000/a/b/c:tag", "127.0.0.1:5000/a/b/c:tag"],
    ["[::1]:5000/app:1", "[::1]:5000/app:1"],
    ["Registry.Example/app", "registry.example/app"],
    ["docker://ghcr.io/org/app:1", "ghcr.io/org/app:1"],
    [`ghcr.io/org/app:1@${sha}`, `ghcr.io/org/app:1@${sha}`],
    [`ghcr.io/org/app@${sha}`, `ghcr.io/org/app@${sha}`],
    ["ghcr.io/org/a__b/c-d---e/f.g_h", "ghcr.io/org/a__b/c-d---e/f.g_h"],
  ])("reads %s as %s", (text, normal) => {
    expect(formatReference(parseReference(text))).toBe(normal);
  });

  it.each([
    ["https://ghcr.io/org/app", "no scheme"],
    ["ghcr.io/Org/app", "capital letters"],
    ["ghcr.io/org//app", "empty part"],
    ["ghcr.io/org/app/", "empty part"],
    ["ghcr.io/org/-app", "no part of a repository name"],
    ["ghcr.io/org/a..b", "no part of a repository name"],
    ["ghcr.io/org/app:", "is not a tag"],
    ["ghcr.io/org/app:-x", "is not a tag"],
    [`ghcr.io/org/app:${"t".repeat(129)}`, "is not a tag"],
    ["ghcr.io/org/app@sha256:abc", "is not a digest"],
    [`ghcr.io/org/app@SHA256:${"A".repeat(64)}`, "is not a digest"],
    [`ghcr.io/${"a".repeat(256)}`, "256 characters"],
    ["localhost:99999/app", "is not a port"],
    ["", "no repository name"],
    ["ghcr.io/../etc/passwd", "no part of a repository name"],
  ])("refuses %j and says why: %s", (text, why) => {
    expect(() => parseReference(text)).toThrow(why);
  });
});

describe("parseRepository", () => {
  it("takes a repository and nothing more", () => {
    expect(parseRepository("registry.example/a/b")).toEqual({ host: "registry.example", name: "a/b" });
    expect(() => parseRepository("registry.example/a:1")).toThrow("a repository is meant");
  });
});

it("knows a tag", () => {
  expect(isTag("_a.B-1")).toBe(true);
  expect(isTag(".a")).toBe(false);
  expect(isTag("a/b")).toBe(false);
});
