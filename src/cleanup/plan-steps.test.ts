import { describe, expect, it } from "vitest";
import {
  commitOf,
  FactsRepository,
  hourMs,
  isolateRules,
  nativeRules,
  nowMs,
  shop,
} from "../../test/support/cleanup-facts.js";
import { deleted, line, plan } from "../../test/support/cleanup-plan.js";
import { digestOf } from "../oci/digest.js";
import { planPurge } from "./planner.js";

describe("SAFETY 14: order, and one deletion for all tags of a digest", () => {
  const google = { ...nativeRules, deleteManifest: "refused-while-tagged", deleteChild: "refused" } as const;

  it("deletes an index before its platforms", () => {
    const world = shop();
    const { primary } = world;
    const children = [primary.stage("a"), primary.stage("b")];
    const index = primary.index("i", children);
    const steps = plan(world).steps;
    const at = (tag: string) => steps.findIndex((s) => s.op === "delete-manifest" && s.tags.includes(tag));
    for (const child of children) {
      expect(at(index)).toBeLessThan(at(child));
      expect(steps[at(child)]?.requires).toEqual([at(index)]);
    }
  });

  it("removes tags first where a tagged manifest is refused", () => {
    const world = shop();
    world.primary.rules = google;
    const stage = world.primary.stage("a");
    expect(plan(world).steps).toMatchObject([
      { op: "delete-tag", tag: stage },
      { op: "delete-manifest", tags: [], requires: [0] },
    ]);
  });

  it("leaves a manifest that has a tag which nobody judged: a signature of something that isn't here", () => {
    const world = shop();
    const stage = world.primary.stage("a");
    const orphan = world.primary.tag(`sha256-${"e".repeat(64)}.sig`, world.primary.digest(stage));
    const p = plan(world);
    expect(p.steps).toMatchObject([{ op: "delete-tag", tag: stage }]);
    expect(line(p, orphan).decision).toBe("keep");
  });

  it("lets the last tag take the manifest where it does", () => {
    const world = shop();
    world.primary.rules = { ...nativeRules, deleteManifest: "leaves-tags", lastTag: "deletes-manifest" };
    const stage = world.primary.stage("a");
    expect(plan(world).steps).toMatchObject([{ op: "delete-tag", tag: stage }]);
  });

  it("says what only a run finds out where nobody asked how tags are deleted", () => {
    const world = shop();
    world.primary.rules = { ...nativeRules, deleteTag: "unknown" };
    const stage = world.primary.stage("a");
    expect(plan(world).warnings).toEqual([]);
    world.primary.tag("prod", world.primary.digest(stage));
    const p = plan(world);
    expect(deleted(p)).toEqual([stage]);
    expect(p.warnings).toEqual([expect.stringContaining("only a run finds out")]);
  });

  it("keeps everything, with the reason, where nothing can be deleted", () => {
    const world = shop();
    world.primary.rules = { ...nativeRules, deleteTag: "none", deleteManifest: "none" };
    const stage = world.primary.stage("a");
    const meta = world.primary.meta("app", "head~1", stage);
    const p = plan(world);
    expect(p.steps).toEqual([]);
    expect(line(p, stage).reason).toBe("this registry can't delete manifests");
    expect(line(p, meta)).toMatchObject({ decision: "keep", reason: "its stage stays" });
  });
});

describe("SAFETY 15: isolating", () => {
  it("is for a stage whose sibling stays, and never for a custom tag", () => {
    const world = shop();
    world.primary.rules = isolateRules;
    const stage = world.primary.stage("a");
    world.primary.tag("prod", world.primary.digest(stage));
    const record = world.primary.custom("backend-main", stage);
    const p = plan(world);
    expect(p.steps).toMatchObject([{ op: "isolate-tag", tag: stage }]);
    expect(line(p, "backend-main")).toMatchObject({
      decision: "keep",
      reason: "this registry can't remove one tag safely",
    });
    expect(line(p, record)).toMatchObject({ decision: "keep", reason: "its custom tag stays" });
  });

  it("left a tombstone behind: it counts as absent, and goes", () => {
    const world = shop();
    const tombstone = digestOf("tombstone");
    const stage = world.primary.stage("a", {
      digest: tombstone,
      read: { kind: "tombstone", digest: tombstone },
    });
    const marker = world.primary.rejected(stage);
    const meta = world.primary.meta("app", "head", stage);
    const p = plan(world);
    expect(line(p, stage)).toMatchObject({ type: "tombstone", decision: "delete" });
    expect(deleted(p)).toEqual([stage, meta, marker]);
  });
});

describe("rejected stages", () => {
  it("go with their marker, whatever git says, but not while they are used", () => {
    const world = shop();
    const stage = world.primary.stage("a", { ageHours: 1 });
    const marker = world.primary.rejected(stage);
    world.primary.meta("app", "head", stage);
    const p = plan(world);
    expect(line(p, stage)).toMatchObject({ type: "rejectedStage", decision: "delete" });
    expect(p.steps.at(-1)).toMatchObject({ tags: [marker], requires: [0] });
    world.used.push({ tag: stage, where: "pod" });
    expect(deleted(plan(world))).toEqual([]);
  });

  it("of other projects stay, and so do their markers", () => {
    const world = shop();
    const marker = world.primary.rejected(`${"a".repeat(56)}-1752501317353`, "another");
    expect(line(plan(world), marker)).toMatchObject({ decision: "keep", reason: "other project" });
  });
});

describe("metadata", () => {
  const old = { project: "shop", createdMs: nowMs - 100 * hourMs };

  it("goes after its stage, and only if that went", () => {
    const world = shop();
    const stage = world.primary.stage("a");
    const meta = world.primary.meta("app", "elsewhere", stage);
    expect(plan(world).steps).toMatchObject([{ tags: [stage] }, { tags: [meta], requires: [0] }]);
  });

  it("of a stage that only other policies keep stays, so that its commit may still be pushed", () => {
    const world = shop();
    const stage = world.primary.stage("a", { ageHours: 1 });
    const meta = world.primary.meta("app", "not pushed yet", stage);
    expect(line(plan(world), meta).decision).toBe("keep");
  });

  it("of older commits goes when a newer one keeps the stage", () => {
    const world = shop();
    world.commit("older", { ageHours: 5 });
    world.commits.set(commitOf("head"), { parents: [commitOf("older")], committedAt: nowMs - hourMs });
    const stage = world.primary.stage("a");
    const newer = world.primary.meta("app", "head", stage);
    const older = world.primary.meta("app", "older", stage);
    const lost = world.primary.meta("app", "force-pushed", stage);
    const p = plan(world);
    expect(line(p, newer).decision).toBe("keep");
    expect(line(p, older)).toMatchObject({ decision: "delete", reason: "a newer commit keeps its stage" });
    expect(p.unread).toEqual([{ repository: "primary", tag: lost }]);
    world.primary.records.set(lost, old);
    expect(line(plan(world), lost).decision).toBe("delete");
  });

  it("of a stage that doesn't exist goes when it is ours and old", () => {
    const world = shop();
    const stage = `${"a".repeat(56)}-1752501317353`;
    const meta = world.primary.meta("app", "head", stage);
    expect(plan(world).unread).toEqual([{ repository: "primary", tag: meta }]);
    expect(line(plan(world), meta).decision).toBe("keep");
    for (const [facts, decision] of [
      [old, "delete"],
      [{ ...old, project: "another" }, "keep"],
      [{ project: "shop", createdMs: nowMs - hourMs }, "keep"],
      [{ project: "shop" }, "keep"],
    ] as const) {
      world.primary.records.set(meta, facts);
      expect(line(plan(world), meta).decision).toBe(decision);
    }
  });
});

describe("the final repository", () => {
  it("follows the primary; what the primary doesn't have is reported and kept", () => {
    const world = shop();
    world.final = new FactsRepository("registry.test/final");
    const kept = world.primary.stage("kept");
    world.primary.meta("app", "head", kept);
    const gone = world.primary.stage("gone");
    for (const name of ["kept", "gone", "alone"]) world.final.stage(name);
    const used = world.primary.stage("used");
    world.final.stage("used");
    const alone = [...world.final.tags.keys()].find((tag) => !world.primary.tags.has(tag)) ?? "";
    const p = plan(world);
    expect(line(p, kept, "final")).toMatchObject({
      type: "finalStage",
      decision: "keep",
      reason: "git policy",
    });
    expect(line(p, gone, "final").decision).toBe("delete");
    expect(line(p, used, "final").decision).toBe("delete");
    expect(line(p, alone, "final")).toMatchObject({ decision: "keep", reason: "not found in repo" });
    const young = world.final.stage("young", { ageHours: 1 });
    const strict = plan(world, {}, { finalRepoStrict: true });
    expect(line(strict, alone, "final").decision).toBe("delete");
    expect(line(strict, young, "final").reason).toBe("built within last 2 hours");
  });
});

describe("cleanup.disable", () => {
  it("touches nothing at all", () => {
    const world = shop();
    world.primary.stage("a");
    expect(plan(world, { disable: true })).toMatchObject({ lines: [], steps: [], stops: [] });
  });
});

describe("purge", () => {
  it("removes what is this project's and nothing else", () => {
    const world = shop();
    const { primary } = world;
    const stage = primary.stage("a", { ageHours: 1 });
    primary.meta("app", "head", stage);
    primary.custom("backend-main", stage);
    primary.rejected(`${"a".repeat(56)}-1752501317353`);
    primary.tag("v1", digestOf("v1"));
    for (const tag of primary.tags.keys()) {
      if (!primary.records.has(tag)) primary.records.set(tag, { project: "shop", createdMs: nowMs });
    }
    const p = planPurge(world.facts());
    expect(p.lines.filter(({ decision }) => decision === "keep").map(({ tag }) => tag)).toEqual(["v1"]);
    expect(p.unread).toEqual([]);
  });
});
