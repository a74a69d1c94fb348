import { describe, expect, test } from "vitest";
import { routeOf } from "./route.js";

describe("paths of the distribution API", () => {
  test.each([
    ["/v2/", { kind: "base" }],
    ["/v2", { kind: "base" }],
    ["/v2/_catalog", { kind: "catalog" }],
    ["/v2/a/b/blobs/sha256:1", { kind: "blob", name: "a/b", digest: "sha256:1" }],
    ["/v2/a/blobs/sha256%3A1", { kind: "blob", name: "a", digest: "sha256:1" }],
    ["/v2/a/blobs/uploads/", { kind: "uploads", name: "a" }],
    ["/v2/a/blobs/uploads", { kind: "uploads", name: "a" }],
    ["/v2/a/blobs/uploads/77", { kind: "upload", name: "a", id: "77" }],
    ["/v2/a/manifests/v1", { kind: "manifest", name: "a", reference: "v1" }],
    ["/v2/blobs/manifests/manifests/v1", { kind: "manifest", name: "blobs/manifests", reference: "v1" }],
    ["/v2/tags/list/tags/list", { kind: "tags", name: "tags/list" }],
    ["/v2/a/referrers/x", { kind: "referrers", name: "a", digest: "x" }],
  ])("%s", (path, route) => {
    expect(routeOf(path)).toEqual(route);
  });

  test.each([
    "/",
    "/v1/",
    "/v3/a/manifests/v1",
    "/v2/a",
    "/v2/a/tags",
    "/v2/a/manifests/",
    "/v2//tags/list",
    "//v2/",
  ])("%s is none", (path) => {
    expect(routeOf(path)).toBeUndefined();
  });

  test.each([
    "/v2/../manifests/v1",
    "/v2/a/../../etc/manifests/passwd",
    "/v2/a%2F..%2Fb/manifests/v1",
    "/v2/%2e%2e/blobs/x",
    "/v2/A/tags/list",
    "/v2/_manifests/tags/list",
    "/v2/a%00/tags/list",
    "/v2/%E0%A4%A/tags/list",
  ])("%s has no valid name", (path) => {
    expect(() => routeOf(path)).toThrow(expect.objectContaining({ code: "NAME_INVALID", status: 400 }));
  });
});
