import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cleanupConfig, isolateRules } from "../../test/support/cleanup-facts.js";
import { resultOf, StoreWorld } from "../../test/support/cleanup-store.js";
import { WerfError } from "../core/errors.js";
import { mediaTypes } from "../oci/media-types.js";
import { rejectedTag } from "../records/tags.js";
import { executePlan } from "./executor.js";
import { gatherCleanup } from "./inventory/inventory.js";

let world: StoreWorld;
beforeEach(async () => {
  world = await StoreWorld.create();
});
afterEach(() => world.dispose());

describe("a cleanup", () => {
  it("deletes what the plan says and nothing else, and leaves its record", async () => {
    const kept = await world.stage("kept", { annotated: true });
    const meta = await world.meta("head", kept);
    const gone = await world.stage("gone");
    const goneMeta = await world.meta("elsewhere", gone);
    const alias = await world.alias("backend-main", gone);
    const outcome = await world.cleanup();
    expect(outcome).toMatchObject({ success: true, broken: [] });
    expect(await world.tags()).toEqual([kept, meta, "cleanup", "managed-image-app"].sort());
    for (const tag of [gone, goneMeta, alias, "backend-main"]) expect(resultOf(outcome, tag)).toBe("deleted");
    expect(await world.plans()).toEqual([]);
  });

  it("deletes in a real run what a dry run says: the plan doesn't change by looking", async () => {
    const gone = await world.stage("gone");
    await world.meta("elsewhere", gone);
    const first = await world.gather();
    const second = await world.gather();
    expect(second.plan).toEqual(first.plan);
    expect(world.asked.filter((request) => /^(delete|write)/.test(request))).toEqual([]);
    expect(await world.has("cleanup")).toBe(false);
  });

  it("touches nothing with cleanup.disable, and leaves no record", async () => {
    await world.stage("gone");
    const before = await world.tags();
    const config = { ...cleanupConfig, disable: true };
    await world.execute(await gatherCleanup(world.run, world.input(), config));
    expect(await world.tags()).toEqual(before);
  });

  it("takes damaged records for records that say nothing, and keeps what they may be about", async () => {
    const stage = await world.stage("gone");
    const record = await world.alias("backend-main", stage);
    const store = {
      ...world.view(),
      readManifest: async (reference: string) => {
        const read = await world.store.readManifest(reference);
        if (reference !== record || read.kind === "missing") return read;
        return { kind: "present" as const, manifest: { ...read.manifest, bytes: Buffer.from("damaged") } };
      },
    };
    const { plan } = await world.gather({ repositories: { primary: { store } } });
    expect(plan.lines.find(({ tag }) => tag === "backend-main")).toMatchObject({
      type: "foreign",
      decision: "keep",
    });
    expect(plan.lines.find(({ tag }) => tag === record)?.decision).not.toBe("delete");
  });

  it("asks a second time for no stage that it knows", async () => {
    const kept = await world.stage("kept");
    await world.meta("head", kept);
    await world.gather();
    expect(world.asked).toContain(`read ${kept}`);
    world.asked.length = 0;
    await world.gather();
    expect(world.asked).toEqual([]);
  });

  it("asks for what records resolve to only when something goes, and once", async () => {
    const kept = await world.stage("kept");
    const meta = await world.meta("head", kept);
    await world.gather();
    expect(world.asked).not.toContain(`stat ${meta}`);
    await world.stage("gone");
    await world.gather();
    expect(world.asked).toContain(`stat ${meta}`);
    world.asked.length = 0;
    await world.gather();
    expect(world.asked).toEqual([]);
  });

  it("keeps the platforms that an index has now, not those of an earlier run", async () => {
    const [before, now] = [await world.stage("before"), await world.stage("now")];
    const index = "a".repeat(56);
    await world.meta("head", index);
    await world.index(index, [await world.raw(before)]);
    await world.gather();
    await world.index(index, [await world.raw(now)]);
    const { plan } = await world.gather();
    expect(plan.lines.find(({ tag }) => tag === now)).toMatchObject({ reason: "image index platform" });
    expect(plan.lines.find(({ tag }) => tag === before)?.decision).toBe("delete");
  });

  it("asks once for a stage with our annotations", async () => {
    const kept = await world.stage("kept", { annotated: true });
    await world.meta("head", kept);
    await world.gather();
    expect(world.asked.filter((request) => request.includes(kept) && !request.includes("meta-"))).toEqual([
      `read ${kept}`,
    ]);
    expect(world.asked.filter((request) => request.startsWith("blob"))).toEqual([]);
  });

  it("keeps a stage that a build used an hour ago, as the time of its metadata tells", async () => {
    const reused = await world.stage("reused");
    await world.meta("not pushed yet", reused, 1);
    const { plan } = await world.gather();
    expect(plan.lines.find(({ tag }) => tag === reused)).toMatchObject({
      decision: "keep",
      reason: "built within last 2 hours",
    });
  });
});

describe("SAFETY 2: a Helm chart that nobody can read", () => {
  it("stops the run before anything is deleted", async () => {
    await world.stage("gone");
    await world.image({}, "1.0.0", {}, mediaTypes.helmConfig);
    const planned = await world.gather();
    await expect(world.execute(planned)).rejects.toMatchObject({ code: "cleanup/bundle-unreadable" });
    expect(world.asked.filter((request) => request.startsWith("delete"))).toEqual([]);
  });

  it("protects its images when it can be read", async () => {
    const stage = await world.stage("released");
    await world.image({}, "1.0.0", {}, mediaTypes.helmConfig);
    const { plan } = await world.gather({
      readBundle: async () => ({ kind: "bundle", protects: { tags: [stage], digests: [] } }),
    });
    expect(plan.steps).toEqual([]);
  });
});

describe("SAFETY 6: untagged children", () => {
  it("go after their index, unless a kept index has them too", async () => {
    const shared = await world.image({ n: "shared" });
    const own = await world.image({ n: "own" });
    const anchor = await world.stage("anchor");
    const index = "a".repeat(56);
    await world.index(index, [await world.raw(anchor), shared, own]);
    await world.index("v1", [shared]);
    // An index without time counts as young for ever; hours of 0 let it go.
    const planned = await world.gather({}, { keepBuiltWithinHours: 0 });
    const outcome = await world.execute(planned);
    expect(outcome).toMatchObject({ kind: "done", success: true });
    expect(await world.has(index)).toBe(false);
    expect(await world.has(own.digest)).toBe(false);
    expect(await world.has(shared.digest)).toBe(true);
  });
});

describe("SAFETY 9: a repository that the registry doesn't show", () => {
  it.each(["primary", "final"] as const)("stops a cleanup: the %s one", async (role) => {
    await world.stage("gone");
    const hidden = {
      ...world.view(),
      listTags: async function* () {},
      statRepository: async () => "missing" as const,
    };
    const shown = { primary: { store: world.view() } };
    const planned = await world.gather({ repositories: { ...shown, [role]: { store: hidden } } });
    await expect(world.execute(planned)).rejects.toMatchObject({ code: "cleanup/repository-missing" });
  });
});

describe("SAFETY 10: listings that disagree", () => {
  it("protect with both, and delete only what both show", async () => {
    const both = await world.stage("both");
    const onlyV2 = await world.stage("only-v2");
    const rows = [{ digest: await world.digest(both), tags: [both] }];
    const listImages = async function* () {
      yield* rows;
    };
    const { plan } = await world.gather({ repositories: { primary: { store: world.view(), listImages } } });
    expect(plan.lines.find(({ tag }) => tag === both)?.decision).toBe("delete");
    expect(plan.lines.find(({ tag }) => tag === onlyV2)).toMatchObject({ reason: "the listings disagree" });
  });

  it("that break off are an error, never a shorter list", async () => {
    await world.stage("gone");
    const store = {
      ...world.view(),
      listTags: async function* () {
        yield "v1";
        throw new WerfError("registry/listing", "page 2 of the tags did not come");
      },
    };
    await expect(world.gather({ repositories: { primary: { store } } })).rejects.toMatchObject({
      code: "registry/listing",
    });
  });
});

describe("SAFETY 11: what is to be deleted is asked for just before", () => {
  it("and left alone, with all that hangs on it, when it moved", async () => {
    await world.meta("head", await world.stage("kept"));
    const gone = await world.stage("gone");
    const meta = await world.meta("elsewhere", gone);
    const planned = await world.gather();
    const other = await world.image({ pushed: "meanwhile" }, gone);
    const outcome = await world.execute(planned);
    if (outcome.kind !== "done") throw new Error("stale");
    expect(await world.digest(gone)).toBe(other.digest);
    expect(resultOf(outcome, gone)).toBe("kept");
    expect(resultOf(outcome, meta)).toBe("kept");
    expect(await world.has(meta)).toBe(true);
  });

  it("also when it was known from an earlier run", async () => {
    const gone = await world.stage("gone");
    await world.gather();
    const other = await world.image({ pushed: "meanwhile" }, gone);
    await world.cleanup();
    expect(await world.digest(gone)).toBe(other.digest);
  });
});

describe("SAFETY 12: branches that moved", () => {
  it("mean a new plan, and no deletion", async () => {
    const gone = await world.stage("gone");
    const outcome = await world.execute(await world.gather(), { checkReferences: async () => "moved" });
    expect(outcome).toMatchObject({ kind: "stale" });
    expect(await world.has(gone)).toBe(true);
    expect(await world.plans()).toEqual([]);
  });
});

describe("what comes between plan and deletion", () => {
  it.each<[string, (stage: string) => Promise<unknown>]>([
    ["metadata: a build reused the stage", (stage) => world.meta("new", stage, 0)],
    ["a custom tag for the stage", (stage) => world.alias("release", stage)],
    ["a foreign tag, which may be a bundle", () => world.image({ n: 1 }, "2.0.0")],
    ["an index over the stage", async (stage) => world.index("b".repeat(56), [await world.raw(stage)])],
    [
      "a signature of the stage",
      async (stage) => world.image({ n: 1 }, `${(await world.digest(stage)).replace(":", "-")}.sig`),
    ],
  ])("means a new plan: %s", async (_name, push) => {
    const stage = await world.stage("gone");
    const planned = await world.gather();
    await push(stage);
    expect(await world.execute(planned)).toMatchObject({ kind: "stale" });
    expect(await world.has(stage)).toBe(true);
    expect((await world.execute(await world.gather())).kind).toBe("done");
  });

  it("means a new plan also when a tag that was there moved to the stage", async () => {
    const stage = await world.stage("gone");
    await world.image({ n: 1 }, "prod");
    const planned = await world.gather();
    await world.store.writeManifest(await world.raw(stage), "prod");
    expect(await world.execute(planned)).toMatchObject({ kind: "stale" });
    expect(await world.has(stage)).toBe(true);
    await world.cleanup();
    expect(await world.has(stage)).toBe(false);
    expect(await world.has("prod")).toBe(true);
  });

  it("means a new plan when an index got the stage as a platform", async () => {
    const stage = await world.stage("gone");
    const index = "a".repeat(56);
    await world.meta("head", index);
    await world.index(index, [await world.raw(await world.stage("platform"))]);
    const planned = await world.gather();
    await world.index(index, [await world.raw(stage)]);
    expect(await world.execute(planned)).toMatchObject({ kind: "stale" });
    expect(await world.has(stage)).toBe(true);
  });

  it("means a new plan when the second listing shows nothing at all", async () => {
    const stage = await world.stage("gone");
    const planned = await world.gather();
    const store = { ...world.view(), listTags: async function* () {} };
    const outcome = await executePlan(world.run, { ...planned, repositories: { primary: { store } } });
    expect(outcome).toMatchObject({ kind: "stale" });
    expect(await world.has(stage)).toBe(true);
  });

  it("doesn't matter when it needs nothing of what goes", async () => {
    const gone = await world.stage("gone");
    const planned = await world.gather();
    await world.meta("new", await world.stage("new", { ageHours: 0 }), 0);
    expect(await world.execute(planned)).toMatchObject({ kind: "done", success: true });
    expect(await world.has(gone)).toBe(false);
  });
});

describe("SAFETY 14: a run that breaks off", () => {
  it("has its plan on disk before the first deletion, and the next run finishes it", async () => {
    const child = await world.image({ n: "child" });
    const anchor = await world.stage("anchor");
    const index = "a".repeat(56);
    const { digest } = await world.index(index, [await world.raw(anchor), child]);
    const planned = await world.gather({}, { keepBuiltWithinHours: 0 });
    world.beforeDelete = async (what) => {
      const [file = ""] = await world.plans();
      expect(JSON.parse(await readFile(join(world.run.werfHome, "plans", file), "utf8")).project).toBe(
        "shop",
      );
      if (what !== digest) throw new WerfError("http/reset", "the connection broke");
    };
    expect(await world.execute(planned)).toMatchObject({ success: false });
    expect(await world.has(index)).toBe(false);
    expect(await world.has(child.digest)).toBe(true);
    world.beforeDelete = () => undefined;
    const again = await world.gather({}, { keepBuiltWithinHours: 0 });
    expect(again.plan.lines.find((line) => line.digest === child.digest)).toMatchObject({
      type: "untagged",
      decision: "delete",
    });
    expect(await world.execute(again)).toMatchObject({ success: true });
    expect(await world.has(child.digest)).toBe(false);
    expect(await world.plans()).toEqual([]);
  });

  it("is not finished for what something needs by now", async () => {
    const child = await world.image({ n: "child" });
    const index = "a".repeat(56);
    const { digest } = await world.index(index, [await world.raw(await world.stage("anchor")), child]);
    world.beforeDelete = (what) => {
      if (what !== digest) throw new WerfError("http/reset", "the connection broke");
    };
    await world.execute(await world.gather({}, { keepBuiltWithinHours: 0 }));
    world.beforeDelete = () => undefined;
    await world.index("v1", [child]);
    await world.cleanup();
    expect(await world.has(child.digest)).toBe(true);
  });

  it("keeps the children of an index that could not be deleted", async () => {
    const anchor = await world.stage("anchor");
    const index = "a".repeat(56);
    const { digest } = await world.index(index, [await world.raw(anchor)]);
    world.beforeDelete = (what) => {
      if (what === digest) throw new WerfError("http/timeout", "no answer");
    };
    const outcome = await world.execute(await world.gather({}, { keepBuiltWithinHours: 0 }));
    expect(outcome).toMatchObject({ success: false });
    expect(await world.has(anchor)).toBe(true);
  });
});

describe("SAFETY 15: isolating", () => {
  beforeEach(() => {
    world.rules = isolateRules;
  });

  it("removes the stage's tag, leaves its sibling, and marks the stage as rejected meanwhile", async () => {
    const stage = await world.stage("a");
    const { digest } = await world.raw(stage);
    await world.store.writeManifest(await world.raw(stage), "prod");
    const outcome = await world.cleanup();
    expect(outcome.success).toBe(true);
    expect(await world.tags()).toEqual(["cleanup", "managed-image-app", "prod"]);
    expect(await world.digest("prod")).toBe(digest);
    const writes = world.asked.filter((request) => request.startsWith("write"));
    expect(writes.slice(0, 2)).toEqual([`write ${rejectedTag(stage)}`, `write ${stage}`]);
  });

  it("that breaks off is finished by the next run", async () => {
    const stage = await world.stage("a");
    await world.store.writeManifest(await world.raw(stage), "prod");
    const digest = await world.digest("prod");
    let store = world.view();
    // The process dies between pushing the throw-away manifest and deleting it.
    store = {
      ...store,
      deleteManifest: () => Promise.reject(new WerfError("http/reset", "the connection broke")),
      writeManifest: async (manifest, tag) => {
        if (manifest.digest === digest) throw new WerfError("http/reset", "the connection broke");
        await world.store.writeManifest(manifest, tag);
      },
    };
    const planned = await world.gather();
    await executePlan(world.run, { ...planned, repositories: { primary: { store } } });
    expect(await world.has(rejectedTag(stage))).toBe(true);
    const again = await world.gather();
    expect(again.plan.lines.find(({ tag }) => tag === stage)).toMatchObject({
      type: "tombstone",
      decision: "delete",
    });
    expect(await world.execute(again)).toMatchObject({ success: true });
    expect(await world.tags()).toEqual(["cleanup", "managed-image-app", "prod"]);
  });
});
