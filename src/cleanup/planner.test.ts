import { describe, expect, it } from "vitest";
import {
  cleanupConfig,
  FactsRepository,
  type FactsWorld,
  hourMs,
  nowMs,
  shop,
} from "../../test/support/cleanup-facts.js";
import { deleted, line, plan } from "../../test/support/cleanup-plan.js";
import { digestOf } from "../oci/digest.js";
import { planCleanup, planPurge } from "./planner.js";

describe("SAFETY 1: what a root reaches is kept", () => {
  it("keeps a stage of a branch's commit, says why, and deletes one that nothing keeps", () => {
    const world = shop();
    const kept = world.primary.stage("kept");
    const gone = world.primary.stage("gone");
    world.primary.meta("app", "head", kept);
    const p = plan(world);
    expect(line(p, kept)).toMatchObject({ decision: "keep", reason: "git policy" });
    expect(line(p, kept).because[0]).toContain("branch main");
    expect(line(p, gone)).toMatchObject({ decision: "delete", reason: "no policy keeps it" });
    expect(p.stops).toEqual([]);
  });

  it("keeps the platforms of a kept index, and the parents and dependencies of kept stages, to any depth", () => {
    const world = shop();
    const { primary } = world;
    const grandparent = primary.stage("grandparent");
    const parent = primary.stage("parent", { parent: grandparent });
    const dependency = primary.stage("dependency");
    const amd = primary.stage("amd", { parent, dependencies: [dependency] });
    const index = primary.index("index", [amd]);
    primary.meta("app", "head", index);
    const p = plan(world);
    expect(deleted(p)).toEqual([]);
    expect(line(p, amd).reason).toBe("image index platform");
    expect(line(p, grandparent).reason).toBe("ancestor");
    expect(line(p, dependency).reason).toBe("dependency source");
  });

  it("keeps referrers, cosign's tags and fallback tags of a kept image, and lets them go with one that goes", () => {
    const world = shop();
    const { primary } = world;
    const kept = primary.stage("kept");
    const gone = primary.stage("gone");
    primary.meta("app", "head", kept);
    for (const tag of [kept, gone]) {
      const subject = primary.digest(tag);
      const name = subject.replace(":", "-");
      primary.tag(`${name}.sig`, digestOf(`sig ${tag}`));
      const referrer = primary.referrer(subject, digestOf(`sbom ${tag}`));
      primary.tag(name, digestOf(`fallback ${tag}`), {
        kind: "index",
        children: [{ digest: referrer.digest, isIndex: false }],
      });
    }
    const p = plan(world);
    const subject = primary.digest(gone).replace(":", "-");
    expect(deleted(p).sort()).toEqual([gone, `${subject}.sig`, subject, digestOf(`sbom ${gone}`)].sort());
    expect(line(p, `${primary.digest(kept).replace(":", "-")}.sig`).decision).toBe("keep");
  });

  it("keeps what runs: by tag, by custom tag, by digest, and the index of a child that runs", () => {
    const world = shop();
    const { primary } = world;
    const byTag = primary.stage("by-tag");
    const byAlias = primary.stage("by-alias");
    primary.custom("backend-main", byAlias);
    const byDigest = primary.stage("by-digest");
    const child = primary.stage("child");
    const index = primary.index("index", [child]);
    world.used.push({ tag: byTag, where: "pod a" }, { tag: "backend-main", where: "pod b" });
    world.used.push(
      { digest: primary.digest(byDigest), where: "pod c" },
      { digest: primary.digest(child), where: "pod d" },
    );
    const p = plan(world);
    expect(deleted(p)).toEqual([]);
    expect(line(p, index)).toMatchObject({
      reason: "used in Kubernetes",
      because: ["used in Kubernetes: pod d"],
    });
  });

  it("keeps what the keep list names, custom tags included", () => {
    const world = shop();
    const stage = world.primary.stage("a");
    const aliased = world.primary.stage("b");
    world.primary.custom("release", aliased);
    world.keepList = [stage, "release"];
    const p = plan(world);
    expect(deleted(p)).toEqual([]);
    expect(line(p, aliased).reason).toBe("keep list");
    expect(line(p, "release")).toMatchObject({ type: "customTag", decision: "keep" });
  });
});

describe("SAFETY 2: bundles", () => {
  it("protect their images by tag and by digest, in every repository", () => {
    const world = shop();
    const { primary } = world;
    const byTag = primary.stage("by-tag");
    const byDigest = primary.stage("by-digest");
    world.final = new FactsRepository("registry.test/final");
    const final = world.final.stage("by-tag");
    const digest = digestOf("bundle");
    primary.tag("1.0.0", digest);
    primary.bundles.push({
      tag: "1.0.0",
      digest,
      protects: { tags: [byTag], digests: [primary.digest(byDigest)] },
    });
    const p = plan(world);
    expect(deleted(p)).toEqual([]);
    expect(line(p, byTag)).toMatchObject({ reason: "published in a bundle" });
    expect(line(p, final, "final").decision).toBe("keep");
    expect(line(p, "1.0.0")).toMatchObject({ type: "bundle", decision: "keep" });
    expect(deleted(planPurge(world.facts())).filter((tag) => tag === byTag)).toEqual([]);
  });

  it("stop the run when they can't be read, purge too", () => {
    const world = shop();
    world.primary.unreadableBundles.push({ tag: "2.0.0", reason: "no layer" });
    for (const p of [plan(world), planPurge(world.facts())]) {
      expect(p.stops.map(({ code }) => code)).toEqual(["cleanup/bundle-unreadable"]);
    }
  });
});

describe("SAFETY 3: tags that werf didn't make", () => {
  it("stay, with the manifest, its children and what that stage is made from", () => {
    const world = shop();
    const { primary } = world;
    const parent = primary.stage("parent");
    const stage = primary.stage("stage", { parent });
    const child = primary.stage("child");
    primary.tag("prod", primary.digest(stage));
    primary.tag("v1", digestOf("v1"), {
      kind: "index",
      children: [{ digest: primary.digest(child), isIndex: false }],
    });
    const p = plan(world);
    expect(deleted(p)).toEqual([stage]);
    expect(p.steps).toEqual([
      expect.objectContaining({ op: "delete-tag", tag: stage, expect: primary.digest(stage) }),
    ]);
    expect(line(p, parent).decision).toBe("keep");
    expect(line(p, child).decision).toBe("keep");
    expect(line(p, "prod").reason).toBe("not made by werf");
  });
});

describe("SAFETY 4: other projects", () => {
  it.each([["another"], [undefined]])("keeps a stage of %s, by cleanup and by purge", (project) => {
    const world = shop();
    const stage = world.primary.stage("theirs", { project });
    for (const p of [plan(world), planPurge(world.facts())]) {
      expect(line(p, stage)).toMatchObject({ decision: "keep", reason: "other project" });
    }
  });

  it("keeps a stage of ours that another project's metadata names, by cleanup and by purge", () => {
    const world = shop();
    const stage = world.primary.stage("of equal content");
    world.primary.meta("app", "elsewhere", stage, { project: "another", createdMs: 0 });
    for (const p of [plan(world), planPurge(world.facts())]) {
      expect(line(p, stage)).toMatchObject({ decision: "keep", reason: "other project" });
      expect(deleted(p).filter((tag) => tag?.startsWith("meta-"))).toEqual([]);
    }
  });

  it("takes an index without labels for the project's whose all its platforms are", () => {
    const world = shop();
    const { primary } = world;
    const ours = primary.index("ours", [primary.stage("a"), primary.stage("b")]);
    const mixed = primary.index("mixed", [primary.stage("c"), primary.stage("d", { project: "another" })]);
    const bare = primary.index("bare", [digestOf("nobody's")]);
    const p = plan(world);
    expect(line(p, ours).decision).toBe("delete");
    expect(line(p, mixed).decision).toBe("keep");
    expect(line(p, bare).decision).toBe("keep");
  });

  it("keeps a stage that can't be read", () => {
    const world = shop();
    const stage = world.primary.stage("broken", { read: { kind: "broken", reason: "no config" } });
    expect(line(plan(world), stage)).toMatchObject({ decision: "keep", reason: "can't be read" });
  });
});

describe("SAFETY 5: custom tags", () => {
  it("go in one deletion with their stage, and then their record", () => {
    const world = shop();
    const stage = world.primary.stage("a");
    const record = world.primary.custom("backend-main", stage);
    const p = plan(world);
    expect(deleted(p)).toEqual([stage, "backend-main", record]);
    expect(p.steps).toMatchObject([
      { op: "delete-manifest", tags: [stage, "backend-main"] },
      { op: "delete-manifest", tags: [record], requires: [0] },
    ]);
  });

  it("that resolve to something else stay, and only the record goes", () => {
    const world = shop();
    const stage = world.primary.stage("a");
    const record = world.primary.custom("latest", stage, digestOf("pushed by hand"));
    const p = plan(world);
    expect(deleted(p)).toEqual([stage, record]);
    expect(line(p, "latest")).toMatchObject({ type: "foreign", decision: "keep" });
  });
});

describe("SAFETY 6: untagged manifests", () => {
  it("go only with their last parent", () => {
    const world = shop();
    const { primary } = world;
    const shared = digestOf("shared child");
    const own = digestOf("own child");
    const anchor = primary.stage("anchor");
    const gone = primary.index("gone", [anchor, shared, own]);
    const kept = primary.index("kept", [shared]);
    primary.meta("app", "head", kept);
    const p = plan(world);
    expect(new Set(deleted(p))).toEqual(new Set([anchor, gone, own]));
    expect(deleted(p)).not.toContain(shared);
    const parent = p.steps.findIndex((s) => s.op === "delete-manifest" && s.tags[0] === gone);
    const child = p.steps.find((s) => s.op === "delete-manifest" && s.digest === own);
    expect(child?.requires).toContain(parent);
  });

  it("stay where a foreign manifest can't be read, or something uses the digest", () => {
    const world = shop();
    const { primary } = world;
    const child = digestOf("child");
    primary.index("gone", [primary.stage("a"), child]);
    primary.unreadable.push({ tag: "odd", reason: "not JSON" });
    expect(deleted(plan(world))).not.toContain(child);
    primary.unreadable.pop();
    expect(deleted(plan(world))).toContain(child);
    world.used.push({ digest: child, where: "pod" });
    expect(deleted(plan(world))).toEqual([]);
  });
});

describe("SAFETY 7: records of werf v2", () => {
  it("are listed by cleanup and removed by purge, this project's only", () => {
    const world = shop();
    const ours = world.primary.record("import-metadata-abc", { project: "shop" });
    const theirs = world.primary.record("client-id-1-1700000000000", { project: "another" });
    const p = plan(world);
    expect(line(p, ours)).toMatchObject({ type: "oldGeneration", decision: "keep" });
    expect(p.warnings.join()).toContain("2 records of werf v2");
    expect(deleted(planPurge(world.facts()))).toContain(ours);
    expect(deleted(planPurge(world.facts()))).not.toContain(theirs);
  });
});

describe("SAFETY 8: age", () => {
  const young = (nowMs: number) => nowMs - hourMs / 2;

  it.each<[string, (w: FactsWorld) => string]>([
    ["its tag", (w) => w.primary.stage("a", { ageHours: 1 })],
    [
      "its push time",
      (w) => {
        const stage = w.primary.stage("a");
        w.primary.pushedAtMs.set(w.primary.digest(stage), young(nowMs));
        return stage;
      },
    ],
    [
      "the time of its metadata",
      (w) => {
        const stage = w.primary.stage("a");
        w.primary.meta("app", "elsewhere", stage, { project: "shop", createdMs: young(nowMs) });
        return stage;
      },
    ],
    [
      "the time of a custom tag",
      (w) => {
        const stage = w.primary.stage("a");
        w.primary.records.set(w.primary.custom("x", stage), { project: "shop", createdMs: young(nowMs) });
        return stage;
      },
    ],
    ["the time of a platform", (w) => w.primary.index("i", [w.primary.stage("a", { ageHours: 1 })])],
    ["nothing, so that it counts as young", (w) => w.primary.index("i", [])],
  ])("is told by %s", (_name, make) => {
    const world = shop();
    const stage = make(world);
    const kept = line(plan(world), stage);
    expect(kept.decision).toBe("keep");
  });

  it("is overridden by the option, and switched off by 0", () => {
    const world = shop();
    const stage = world.primary.stage("a", { ageHours: 10 });
    expect(line(plan(world, {}, { keepBuiltWithinHours: 11 }), stage).reason).toBe(
      "built within last 11 hours",
    );
    const fresh = world.primary.stage("b", { ageHours: 1 });
    expect(line(plan(world, {}, { keepBuiltWithinHours: 0 }), fresh).decision).toBe("delete");
    expect(line(plan(world, { disableBuiltWithinLastNHoursPolicy: true }), fresh).decision).toBe("delete");
  });
});

describe("SAFETY 9: no evidence never means delete all", () => {
  it("stops without any record, without references, and when a cluster shows nothing", () => {
    const bare = shop();
    bare.primary.tags.clear();
    bare.primary.stage("a");
    expect(plan(bare).stops.map(({ code }) => code)).toEqual(["cleanup/no-records"]);
    const noGit = shop();
    noGit.references.pop();
    expect(plan(noGit).stops.map(({ code }) => code)).toEqual(["cleanup/no-references"]);
    expect(plan(noGit, { disableGitHistoryBasedPolicy: true }).stops).toEqual([]);
    const facts = { ...shop().facts(), used: { images: [], clusters: [{ name: "prod", workloads: 0 }] } };
    expect(planCleanup(facts, cleanupConfig).stops.map(({ code }) => code)).toEqual(["cleanup/no-workloads"]);
  });

  it("stops when git knows none of the commits that were recorded, unless that was allowed", () => {
    const world = shop();
    world.primary.tags.clear();
    world.primary.meta("app", "elsewhere", world.primary.stage("a"));
    expect(plan(world).stops.map(({ code }) => code)).toEqual(["cleanup/strange-history"]);
    expect(plan(world, {}, { maxDelete: { kind: "count", count: 1 } }).stops).toEqual([]);
    expect(plan(world, { disableGitHistoryBasedPolicy: true }).stops).toEqual([]);
    world.primary.meta("app", "head", world.primary.stage("b"));
    expect(plan(world).stops).toEqual([]);
  });

  it("stops when more than 20 and more than 60% of the stages would go, unless that was allowed", () => {
    const world = shop();
    for (let n = 0; n < 21; n++) world.primary.stage(`s${n}`);
    expect(plan(world).stops.map(({ code }) => code)).toEqual(["cleanup/too-many"]);
    expect(plan(world, {}, { maxDelete: { kind: "count", count: 21 } }).stops).toEqual([]);
    expect(plan(world, {}, { maxDelete: { kind: "count", count: 20 } }).stops).toHaveLength(1);
    expect(plan(world, {}, { maxDelete: { kind: "percent", percent: 100 } }).stops).toEqual([]);
    for (let n = 0; n < 100; n++) world.primary.stage(`theirs ${n}`, { project: "another" });
    expect(plan(world).stops).toHaveLength(1);
    for (let n = 0; n < 14; n++) world.keepList.push(world.primary.stage(`k${n}`));
    expect(plan(world).stops).toEqual([]);
  });
});
