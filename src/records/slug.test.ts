import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { murmurHash } from "./murmur.js";
import { dockerTagSlug, limitedSlug, namespaceSlug, projectSlug, releaseSlug, slug } from "./slug.js";

describe("murmurHash", () => {
  it.each([
    ["backend", "27dba8ed"],
    ["group/backend", "50fa43df"],
    ["helo/ehlo", "b6f6ab1f"],
    ["A", "54dcf7ce"],
    ["-data", "a871d86e"],
    ["", "0"],
  ])("of %j is %s", (text, hash) => expect(murmurHash(text)).toBe(hash));

  it("has no leading zeros", () => expect(murmurHash("da/ta")).toBe("afa96f8"));
});

describe("slug", () => {
  it.each([
    ["data", "data"],
    ["My_branch", "my-branch"],
    ["--a__b..c--", "a-b-c"],
    ["Ünïcode Straße", "unicode-strabe"],
    ["Щука и ёж", "shchuka-i-yozh"],
    ["x²→", "x2"],
    ["", ""],
  ])("of %j is %j", (text, expected) => expect(slug(text)).toBe(expected));

  it.each([
    ["helo/ehlo", "helo-ehlo-b6f6ab1f"],
    ["-data", "data-a871d86e"],
    ["feature.1_x", "feature.1_x"],
    ["x".repeat(129), `${"x".repeat(119)}-8cca70eb`],
  ])("as a docker tag of %j is %j", (text, expected) => expect(dockerTagSlug(text)).toBe(expected));

  it.each([
    ["My_branch", "my-branch-8ebf2d1d"],
    ["kubernetes.namespace", "kubernetes-namespace-1507f75c"],
    ["app-production", "app-production"],
  ])("as a namespace of %j is %j", (text, expected) => expect(namespaceSlug(text)).toBe(expected));

  it("as a release keeps dots", () => expect(releaseSlug("release.name")).toBe("release.name"));
  it("as a project has no hash", () => expect(projectSlug("My Project")).toBe("my-project"));

  it.each([
    ["x".repeat(43), 42, `${"x".repeat(33)}-27e2f02f`],
    [
      "postgres-feature-31981-change-delivery-date-del-result",
      48,
      "postgres-feature-31981-change-delivery--852739dc",
    ],
    ["backend-main", 48, "backend-main"],
  ])("limited: %j in %i is %j", (text, length, expected) => expect(limitedSlug(text, length)).toBe(expected));

  it("limited is a fixed point and never too long", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 20, max: 128 }), (text, length) => {
        const once = limitedSlug(text, length);
        expect(once.length).toBeLessThanOrEqual(Math.max(length, 0));
        expect(limitedSlug(once, length)).toBe(once);
      }),
    );
  });
});
