import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTag } from "../oci/reference.js";
import { imageMetadataId } from "./image-name.js";
import { findStage, snapshotOf } from "./snapshot.js";
import {
  classifyTag,
  customTagRecordTag,
  imageMetadataTag,
  managedImageTag,
  metaRepoMarkerTag,
  rejectedTag,
  stageTag,
} from "./tags.js";

const content = "079dfdd3f51a800c269cdfdd5e4febfcc1676b2c0d533f520255961c";
const stage = `${content}-1752501317353`;
const commit = "9d1bb68ca2f4e8b0e2b6e5f5a3c7d1e4f2a0b3c9";

describe("classifyTag", () => {
  it.each([
    [stage, { kind: "stage", contentDigest: content, createdMs: 1752501317353 }],
    [content, { kind: "index-stage", contentDigest: content }],
    [`${stage}-rejected`, { kind: "rejected", stage }],
    [`meta-27dba8ed_${commit}_${stage}`, { kind: "image-metadata", imageId: "27dba8ed", commit, stage }],
    [
      `meta-afa96f8_${commit}_${content}`,
      { kind: "image-metadata", imageId: "afa96f8", commit, stage: content },
    ],
    ["managed-image-group__slash__backend", { kind: "managed-image", name: "group/backend" }],
    ["managed-image-__nameless__", { kind: "managed-image", name: "" }],
    ["custom-tag-meta-backend-main", { kind: "custom-tag" }],
    ["cleanup", { kind: "last-cleanup" }],
    ["werf-meta-repo-marker-myproj", { kind: "meta-repo-marker" }],
    ["import-metadata-abc", { kind: "old-generation", what: "import-metadata" }],
    ["client-id-f9-1-1700000000000", { kind: "old-generation", what: "client-id" }],
    ["sync-server", { kind: "old-generation", what: "sync-server" }],
    [
      `sha256-${"a".repeat(64)}`,
      { kind: "attached", subject: `sha256:${"a".repeat(64)}`, what: "referrers" },
    ],
    [`sha256-${"a".repeat(64)}.sig`, { kind: "attached", subject: `sha256:${"a".repeat(64)}`, what: "sig" }],
  ])("reads %s", (tag, expected) => expect(classifyTag(tag)).toEqual({ tag, ...expected }));

  it.each([
    "v1.0.0",
    "cleanup-policy",
    `${content.toUpperCase()}-1752501317353`,
    `${content.slice(1)}z`,
    `${content}-175250131735`,
    `meta-27dba8ed_${commit}`,
    `meta-27dba8ed_main_${stage}`,
    "managed-image-",
    `sha256-${"a".repeat(63)}`,
  ])("leaves %s to its owner", (tag) => expect(classifyTag(tag)).toEqual({ kind: "foreign", tag }));

  it("reads back every tag that is written", () => {
    const names = fc.stringMatching(/^[a-z][a-z0-9 /+_.-]{0,60}$/);
    fc.assert(
      fc.property(names, fc.integer({ min: 1e12, max: 9e12 }), (name, ms) => {
        const own = stageTag(content, ms);
        expect(classifyTag(own)).toMatchObject({ kind: "stage", createdMs: ms });
        expect(classifyTag(rejectedTag(own))).toMatchObject({ kind: "rejected", stage: own });
        const metadata = imageMetadataTag(name, commit, own);
        expect(isTag(metadata)).toBe(true);
        expect(classifyTag(metadata)).toMatchObject({ imageId: imageMetadataId(name), commit, stage: own });
        expect(isTag(managedImageTag(name))).toBe(true);
        expect(classifyTag(managedImageTag(name))).toMatchObject({ kind: "managed-image" });
        expect(classifyTag(customTagRecordTag(name))).toMatchObject({ kind: "custom-tag" });
        expect(classifyTag(metaRepoMarkerTag("p"))).toMatchObject({ kind: "meta-repo-marker" });
      }),
    );
  });

  it("keeps names of ordinary images through a managed-image record", () => {
    for (const name of ["backend", "group/backend", "a b+c"]) {
      expect(classifyTag(managedImageTag(name))).toMatchObject({ name });
    }
  });

  it("has the image ids of werf", () => {
    expect(imageMetadataId("backend")).toBe("27dba8ed");
    expect(imageMetadataId("group/backend")).toBe("50fa43df");
  });

  it("fits the commits of SHA-256 repositories into a tag", () => {
    expect(isTag(imageMetadataTag("backend", "b".repeat(64), stage))).toBe(true);
  });

  it("refuses a stage tag that nobody could read back", () => {
    expect(() => stageTag(content, 5)).toThrow(expect.objectContaining({ code: "records/stage-tag" }));
  });
});

describe("findStage", () => {
  const at = (ms: number) => `${content}-${ms}`;
  const other = "1".repeat(56);

  it("takes the oldest that wasn't rejected", () => {
    const tags = [
      at(1752501317355),
      at(1752501317354),
      at(1752501317353),
      `${at(1752501317353)}-rejected`,
      `${other}-1000000000000`,
    ];
    expect(findStage(snapshotOf(tags), content)?.tag).toBe(at(1752501317354));
  });

  it("leaves out what is older than its parent", () => {
    const snapshot = snapshotOf([at(1752501317353), at(1752501317360)]);
    expect(findStage(snapshot, content, 1752501317354)?.tag).toBe(at(1752501317360));
    expect(findStage(snapshot, other)).toBeUndefined();
  });
});
