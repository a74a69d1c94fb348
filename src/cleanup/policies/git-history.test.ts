import { describe, expect, it } from "vitest";
import { commitOf, FactsWorld, hourMs, nowMs } from "../../../test/support/cleanup-facts.js";
import type { KeepLimit, KeepPolicy } from "../../config/model.js";
import { gitHits, selectReferences } from "./git-history.js";

function kept(world: FactsWorld, policies: readonly KeepPolicy[] = []): string[] {
  const facts = world.facts();
  if (facts.git === undefined) throw new Error("no git facts");
  return [...new Set(gitHits(facts, facts.git, policies).map(({ record }) => record.stage))];
}

/** A branch of commits c0 (newest) ... c<n-1>, `step` hours apart, each with a stage of its own. */
function line(world: FactsWorld, branch: string, count: number, step = 24): string[] {
  const stages: string[] = [];
  for (let n = 0; n < count; n++) {
    const name = `${branch}-${n}`;
    world.commit(name, { ageHours: 1 + n * step, parents: n === count - 1 ? [] : [`${branch}-${n + 1}`] });
    const stage = world.primary.stage(name);
    world.primary.meta("app", name, stage);
    stages.push(stage);
  }
  world.reference("branch", branch, `${branch}-0`);
  return stages;
}

function branch(source: RegExp, images?: KeepLimit, limit?: KeepLimit): KeepPolicy {
  return {
    references: {
      kind: "branch",
      pattern: source,
      source: String(source),
      ...(limit === undefined ? {} : { limit }),
    },
    ...(images === undefined ? {} : { imagesPerReference: images }),
  };
}

describe("the built-in policies", () => {
  it("keep ten images of main, and two of the last week of another branch", () => {
    const world = new FactsWorld();
    const main = line(world, "main", 15);
    const feature = line(world, "feature", 15);
    expect(kept(world)).toEqual([...main.slice(0, 10), ...feature.slice(0, 2)]);
  });

  it("keep one image of each of the ten newest tags", () => {
    const world = new FactsWorld();
    const stages = Array.from({ length: 12 }, (_, n) => {
      world.commit(`t${n}`, { ageHours: 1000 + n });
      const stage = world.primary.stage(`t${n}`);
      world.primary.meta("app", `t${n}`, stage);
      world.reference("tag", `v${n}`, `t${n}`);
      return stage;
    });
    expect(kept(world).sort()).toEqual(stages.slice(0, 10).sort());
  });

  it("don't look behind the commit of a tag", () => {
    const world = new FactsWorld();
    world.commit("parent");
    world.commit("tagged", { parents: ["parent"] });
    world.reference("tag", "v1", "tagged");
    world.primary.meta("app", "parent", world.primary.stage("parent"));
    expect(kept(world)).toEqual([]);
  });
});

describe("imagesPerReference", () => {
  const cases: [string, KeepLimit | undefined, number][] = [
    ["absent: one", undefined, 1],
    ["last", { last: 3, operator: "And" }, 3],
    ["negative last: all", { last: -1, operator: "And" }, 10],
    ["last 0: none", { last: 0, operator: "And" }, 0],
    ["in, with the default last of one", { inMs: 100 * hourMs, operator: "And" }, 1],
    ["last and in", { last: 8, inMs: 100 * hourMs, operator: "And" }, 5],
    ["last or in", { last: 2, inMs: 100 * hourMs, operator: "Or" }, 5],
    ["last or in, when last is more", { last: 8, inMs: 100 * hourMs, operator: "Or" }, 8],
  ];
  it.each(cases)("%s", (_name, images, count) => {
    const world = new FactsWorld();
    const stages = line(world, "dev", 10);
    expect(kept(world, [branch(/^dev$/, images)])).toEqual(stages.slice(0, count));
  });

  it("counts stages of one commit as one", () => {
    const world = new FactsWorld();
    const [newest] = line(world, "dev", 3);
    const second = world.primary.stage("again");
    world.primary.meta("app", "dev-0", second);
    expect(kept(world, [branch(/^dev$/, { last: 1, operator: "And" })]).sort()).toEqual(
      [newest, second].sort(),
    );
  });
});

describe("commits of one second", () => {
  it("count a child as newer than its parents, whatever the order of the records", () => {
    const world = new FactsWorld();
    const names = ["tip", "middle", "root"];
    for (const [n, name] of names.entries()) world.commit(name, { parents: names.slice(n + 1, n + 2) });
    world.reference("branch", "main", "tip");
    const stages = new Map(names.map((name) => [name, world.primary.stage(name)]));
    for (const name of names.toReversed()) world.primary.meta("app", name, stages.get(name) ?? "");
    expect(kept(world, [branch(/^main$/, { last: 1, operator: "And" })])).toEqual([stages.get("tip")]);
  });

  it("give a stage the newest of its commits", () => {
    const world = new FactsWorld();
    const names = ["tip", "middle", "root"];
    for (const [n, name] of names.entries()) world.commit(name, { parents: names.slice(n + 1, n + 2) });
    world.reference("branch", "main", "tip");
    const [reverted, middle] = [world.primary.stage("reverted"), world.primary.stage("middle")];
    world.primary.meta("app", "root", reverted);
    world.primary.meta("app", "middle", middle);
    world.primary.meta("app", "tip", reverted);
    expect(kept(world, [branch(/^main$/, { last: 1, operator: "And" })])).toEqual([reverted]);
  });
});

describe("the walk", () => {
  it("follows all parents of a merge", () => {
    const world = new FactsWorld();
    world.commit("side", { ageHours: 5 });
    world.commit("base", { ageHours: 6 });
    world.commit("merge", { ageHours: 1, parents: ["base", "side"] });
    world.reference("branch", "main", "merge");
    const stage = world.primary.stage("side");
    world.primary.meta("app", "side", stage);
    expect(kept(world)).toEqual([stage]);
  });

  it("is per image, and leaves out images that nobody knows", () => {
    const world = new FactsWorld();
    world.imageNames = ["app", "db"];
    world.commit("c");
    world.reference("branch", "main", "c");
    const app = world.primary.stage("app");
    const db = world.primary.stage("db");
    world.primary.meta("app", "c", app);
    world.primary.meta("db", "c", db);
    world.primary.meta("forgotten", "c", world.primary.stage("forgotten"));
    expect(kept(world).sort()).toEqual([app, db].sort());
  });

  it("takes 50,000 commits and 100 branches in its stride", () => {
    const world = new FactsWorld();
    let parent: string[] = [];
    for (let n = 0; n < 50_000; n++) {
      const hash = n.toString(16).padStart(40, "0");
      world.commits.set(hash, { parents: parent, committedAt: nowMs - (50_000 - n) * 1000 });
      parent = [hash];
    }
    const [head = ""] = parent;
    for (let n = 0; n < 100; n++) {
      world.references.push({
        kind: "branch",
        name: `b${n}`,
        commit: head,
        object: head,
        date: new Date(nowMs),
      });
    }
    const facts = world.facts();
    const started = performance.now();
    gitHits(facts, facts.git ?? { references: [], commits: new Map() }, [branch(/^.*$/)]);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe("selectReferences", () => {
  const world = new FactsWorld();
  for (let n = 0; n < 5; n++) {
    world.commit(`c${n}`, { ageHours: n * 24 + 1 });
    world.reference("branch", `b${n}`, `c${n}`);
  }
  const names = (limit: KeepLimit): string[] =>
    selectReferences(world.references, [branch(/^b/, undefined, limit)], nowMs).map(
      ({ reference }) => reference.name,
    );

  it.each<[KeepLimit, string[]]>([
    [{ last: 2, operator: "And" }, ["b0", "b1"]],
    [{ inMs: 60 * hourMs, operator: "And" }, ["b0", "b1", "b2"]],
    [{ last: 1, inMs: 60 * hourMs, operator: "And" }, ["b0"]],
    [{ last: 4, inMs: 60 * hourMs, operator: "Or" }, ["b0", "b1", "b2", "b3"]],
    [{ inMs: 60 * hourMs, operator: "Or" }, ["b0", "b1", "b2", "b3", "b4"]],
    [{ last: 0, operator: "And" }, []],
  ])("limits by %j", (limit, expected) => expect(names(limit)).toEqual(expected));

  it("lets the last policy that selects a reference decide how many images it keeps", () => {
    const [first] = selectReferences(
      world.references,
      [branch(/^b0$/, { last: 9, operator: "And" }), branch(/^b0$/, { last: 4, operator: "And" })],
      nowMs,
    );
    expect(first?.images.last).toBe(4);
  });

  it("reads a pattern with flags from the start of every name", () => {
    expect(selectReferences(world.references, [branch(/b/g)], nowMs)).toHaveLength(5);
  });

  it("finds SHA-256 commits by the digits that tags have room for", () => {
    const sha256 = new FactsWorld();
    const hash = commitOf("x") + "0".repeat(24);
    sha256.commits.set(hash, { parents: [], committedAt: nowMs });
    sha256.references.push({
      kind: "branch",
      name: "main",
      commit: hash,
      object: hash,
      date: new Date(nowMs),
    });
    const stage = sha256.primary.stage("x");
    sha256.primary.meta("app", "x", stage);
    expect(kept(sha256)).toEqual([stage]);
  });
});
