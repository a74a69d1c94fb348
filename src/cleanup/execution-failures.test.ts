import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cleanupConfig, nativeRules } from "../../test/support/cleanup-facts.js";
import { resultOf, StoreWorld } from "../../test/support/cleanup-store.js";
import { WerfError } from "../core/errors.js";
import type { ExecuteInput } from "./executor.js";
import { gatherCleanup, gatherPurge } from "./inventory/inventory.js";

let world: StoreWorld;
beforeEach(async () => {
  world = await StoreWorld.create();
});
afterEach(() => world.dispose());

describe("SAFETY 14: the plan of an interrupted run", () => {
  it("outlives a run with cleanup.disable, which judges nothing", async () => {
    await world.stage("gone");
    world.beforeDelete = () => Promise.reject(new WerfError("http/reset", "the connection broke"));
    expect(await world.cleanup()).toMatchObject({ success: false });
    const saved = await world.plans();
    expect(saved).toHaveLength(1);
    await world.execute(await gatherCleanup(world.run, world.input(), { ...cleanupConfig, disable: true }));
    expect(await world.plans()).toEqual(saved);
  });
});

describe("SAFETY 17: after the run", () => {
  it("a kept tag that is gone makes the run fail, loudly", async () => {
    const kept = await world.stage("kept");
    await world.meta("head", kept);
    await world.stage("gone");
    let once = true;
    // A registry that takes more than it was told.
    world.beforeDelete = async () => {
      if (once) await world.store.deleteTag(kept);
      once = false;
    };
    const outcome = await world.cleanup();
    expect(outcome.success).toBe(false);
    expect(outcome.broken).toEqual([expect.stringContaining(kept)]);
  });

  it("a kept index that lost a platform makes the run fail", async () => {
    const child = await world.stage("child");
    await world.index("v1", [await world.raw(child)]);
    const digest = await world.digest(child);
    await world.stage("gone");
    world.beforeDelete = async () => {
      await world.store.deleteManifest(digest);
    };
    const outcome = await world.cleanup();
    expect(outcome.broken.join()).toContain(digest);
  });
});

describe("SAFETY 18: what the registry refuses", () => {
  function refusing(reason: "immutable" | "permission"): ExecuteInput["repositories"] {
    const refused = { kind: "refused", reason, answer: "no", hint: "ask the owner" } as const;
    return { primary: { store: { ...world.view(), deleteManifest: async () => refused } } };
  }

  it("for good is kept with its reason, and is a failure only when strict", async () => {
    const gone = await world.stage("gone");
    const planned = await world.gather();
    const repositories = refusing("immutable");
    const lenient = await world.execute(planned, { repositories });
    expect(lenient).toMatchObject({ success: true });
    expect(world.warnings).toContain("cleanup/refused");
    expect(lenient.kind === "done" && lenient.lines.find(({ line }) => line.tag === gone)).toMatchObject({
      result: "kept",
      reason: expect.stringContaining("immutable"),
    });
    expect(await world.execute(planned, { repositories, strict: true })).toMatchObject({ success: false });
  });

  it("for want of permission is a failure", async () => {
    await world.stage("gone");
    expect(await world.execute(await world.gather(), { repositories: refusing("permission") })).toMatchObject(
      {
        success: false,
      },
    );
  });

  it("with an error is a failure, and the rest goes on", async () => {
    const first = await world.stage("first");
    const second = await world.stage("second");
    const digest = await world.digest(first);
    world.beforeDelete = (what) => {
      if (what === digest) throw new WerfError("http/timeout", "no answer");
    };
    const outcome = await world.cleanup();
    expect(outcome.success).toBe(false);
    expect(resultOf(outcome, first)).toBe("failed");
    expect(resultOf(outcome, second)).toBe("deleted");
  });
});

describe("purge", () => {
  it("empties the repository of this project, and of nothing else", async () => {
    const theirs = await world.stage("theirs", { project: "another" });
    const ours = await world.stage("ours", { ageHours: 0.1 });
    await world.meta("head", ours, 0.1);
    await world.alias("backend-main", ours);
    await world.writer("another", 100).write("managed-image-their-app");
    await world.image({ n: 1 }, "v1");
    const planned = await gatherPurge(world.run, world.input());
    expect(await world.execute(planned)).toMatchObject({ kind: "done", success: true });
    expect(await world.tags()).toEqual([theirs, "managed-image-their-app", "v1"].sort());
  });
});

describe("a registry that deletes tags only", () => {
  it("loses the tags of what goes, one by one", async () => {
    world.rules = { ...nativeRules, deleteManifest: "none" };
    const gone = await world.stage("gone");
    await world.alias("backend-main", gone);
    expect(await world.cleanup()).toMatchObject({ success: true });
    expect(await world.tags()).toEqual(["cleanup", "managed-image-app"]);
  });
});
