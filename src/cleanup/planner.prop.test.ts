import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cleanupConfig, FactsWorld, isolateRules, nativeRules } from "../../test/support/cleanup-facts.js";
import type { DeletionRules } from "../oci/deletion.js";
import { type Digest, digestOf } from "../oci/digest.js";
import type { CleanupFacts } from "./facts.js";
import type { Plan, PlanStep } from "./plan.js";
import { planCleanup, planPurge } from "./planner.js";

const allRules: DeletionRules[] = [
  nativeRules,
  isolateRules,
  { ...nativeRules, deleteManifest: "refused-while-tagged", deleteChild: "refused" },
  { ...nativeRules, deleteManifest: "leaves-tags" },
  { ...nativeRules, deleteManifest: "none", lastTag: "deletes-manifest" },
  { ...nativeRules, deleteTag: "none" },
  { ...nativeRules, deleteTag: "none", deleteManifest: "none" },
];

/** A random repository: stages, indexes, foreign tags, attachments, records, and things that use some. */
const worlds = fc
  .record({
    rules: fc.constantFrom(...allRules),
    stages: fc.array(
      fc.record({
        old: fc.boolean(),
        ours: fc.boolean(),
        sameDigestAs: fc.option(fc.nat(11)),
        parent: fc.option(fc.nat(11)),
        dependency: fc.option(fc.nat(11)),
        meta: fc.boolean(),
        onBranch: fc.boolean(),
        rejected: fc.boolean(),
        custom: fc.boolean(),
      }),
      { maxLength: 12 },
    ),
    indexes: fc.array(
      fc.record({ children: fc.array(fc.nat(14), { maxLength: 4 }), foreign: fc.boolean() }),
      { maxLength: 5 },
    ),
    foreign: fc.array(fc.nat(14), { maxLength: 3 }),
    signed: fc.array(fc.nat(14), { maxLength: 4 }),
    referrers: fc.array(fc.nat(14), { maxLength: 4 }),
    used: fc.array(fc.nat(14), { maxLength: 2 }),
    bundled: fc.array(fc.nat(14), { maxLength: 2 }),
  })
  .map((shape) => {
    const world = new FactsWorld();
    const { primary } = world;
    primary.rules = shape.rules;
    primary.managed("app");
    world.commit("head");
    world.reference("branch", "main", "head");
    const tags: string[] = [];
    for (const [n, stage] of shape.stages.entries()) {
      const at = (index: number | null): string | undefined => (index === null ? undefined : tags[index]);
      const parent = at(stage.parent);
      const dependency = at(stage.dependency);
      const twin = at(stage.sameDigestAs);
      const tag = primary.stage(`s${n}`, {
        ageHours: stage.old ? 100 : 1,
        ...(stage.ours ? {} : { project: "another" }),
        ...(parent === undefined ? {} : { parent }),
        ...(dependency === undefined ? {} : { dependencies: [dependency] }),
        ...(twin === undefined ? {} : { digest: primary.digest(twin) }),
      });
      tags.push(tag);
      if (stage.meta) primary.meta("app", stage.onBranch ? "head" : `c${n}`, tag);
      if (stage.rejected) primary.rejected(tag);
      if (stage.custom) primary.custom(`custom-${n}`, tag);
    }
    // Numbers above the stages are manifests without a tag.
    const digest = (n: number): Digest => {
      const tag = tags[n];
      return tag === undefined ? digestOf(`untagged ${n}`) : primary.digest(tag);
    };
    for (const [n, { children, foreign }] of shape.indexes.entries()) {
      const digests = children.map(digest);
      if (!foreign) primary.index(`i${n}`, digests);
      else {
        const listed = digests.map((child) => ({ digest: child, isIndex: false }));
        primary.tag(`v${n}`, digestOf(`foreign ${n}`), { kind: "index", children: listed });
      }
    }
    for (const n of shape.foreign) primary.tag(`prod-${n}`, digest(n));
    for (const n of shape.signed) primary.tag(`${digest(n).replace(":", "-")}.sig`, digestOf(`sig ${n}`));
    for (const n of shape.referrers) primary.referrer(digest(n), digestOf(`sbom ${n}`));
    for (const n of shape.used) world.used.push({ digest: digest(n), where: "pod" });
    const bundle = {
      tag: "1.0.0",
      digest: digestOf("bundle"),
      protects: { tags: [], digests: shape.bundled.map(digest) },
    };
    primary.tag(bundle.tag, bundle.digest);
    primary.bundles.push(bundle);
    return world.facts();
  });

/** What a registry holds after the steps, by the rules that it gave. */
function contentAfter(
  facts: CleanupFacts,
  steps: readonly PlanStep[],
): { tags: Map<string, Digest>; gone: Set<Digest> } {
  const tags = new Map(facts.primary.digests);
  const gone = new Set<Digest>();
  for (const step of steps) {
    if (step.op !== "delete-manifest") {
      expect(tags.get(step.tag)).toBe(step.expect);
      tags.delete(step.tag);
      continue;
    }
    gone.add(step.digest);
    // Every registry but one that leaves tags drops them all, whatever the plan says.
    for (const [tag, digest] of tags) if (digest === step.digest) tags.delete(tag);
  }
  return { tags, gone };
}

/** A second reading of SAFETY 1, made from the facts alone: every digest that a root reaches. */
function reachable(facts: CleanupFacts, roots: readonly Digest[]): Set<Digest> {
  const { primary } = facts;
  const live = new Set<Digest>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (live.has(digest)) continue;
    live.add(digest);
    open.push(...(primary.manifests.get(digest)?.children.map((child) => child.digest) ?? []));
    open.push(...(primary.referrers.get(digest) ?? []).map((referrer) => referrer.digest));
    for (const { tag, subject } of primary.snapshot.attached) {
      const own = primary.digests.get(tag);
      if (subject === digest && own !== undefined) open.push(own);
    }
    for (const [tag, own] of primary.digests) {
      const read = primary.stages.get(tag);
      if (own !== digest || read?.kind !== "present") continue;
      const { parent, dependencies = [] } = read.facts.description ?? {};
      for (const relation of [...dependencies, ...(parent === undefined ? [] : [parent])]) {
        const related = primary.digests.get(relation);
        if (related !== undefined) open.push(related);
      }
    }
  }
  return live;
}

function rootsOf(facts: CleanupFacts, plan: Plan): Digest[] {
  const rejected = new Set(facts.primary.snapshot.rejected.map(({ stage }) => stage));
  const custom = new Set([...facts.primary.customTags.values()].map(({ customTag }) => customTag));
  const foreign = facts.primary.snapshot.foreign.filter((tag) => !custom.has(tag));
  const others = [...facts.primary.stages].flatMap(([tag, read]) =>
    read.kind === "present" && read.facts.description?.project === "another" ? [tag] : [],
  );
  const young = [...facts.primary.stages.keys()].filter(
    (tag) =>
      plan.kind === "cleanup" &&
      !rejected.has(tag) &&
      Number(tag.slice(57)) > facts.takenAtMs - 2 * 3_600_000,
  );
  const byTag = [...foreign, ...others, ...young].flatMap((tag) => facts.primary.digests.get(tag) ?? []);
  const used = facts.used?.images.flatMap(({ digest }) => digest ?? []) ?? [];
  return [...byTag, ...used, ...facts.primary.bundles.flatMap(({ protects }) => protects.digests)];
}

const plans = worlds.chain((facts) =>
  fc.constantFrom(planCleanup(facts, cleanupConfig), planPurge(facts)).map((plan) => ({ facts, plan })),
);

describe("any plan", () => {
  it("SAFETY 1: deletes nothing that a root reaches", () => {
    fc.assert(
      fc.property(plans, ({ facts, plan }) => {
        const live = reachable(facts, rootsOf(facts, plan));
        const { gone } = contentAfter(facts, plan.steps);
        for (const digest of gone) expect(live.has(digest)).toBe(false);
      }),
      { numRuns: 400 },
    );
  });

  it("SAFETY 14, invariant 3: leaves every kept tag where it is, whatever the registry drops with a digest", () => {
    fc.assert(
      fc.property(plans, ({ facts, plan }) => {
        const { tags } = contentAfter(facts, plan.steps);
        for (const { tag, digest, decision } of plan.lines) {
          if (decision === "keep" && tag !== undefined) expect(tags.get(tag)).toBe(digest);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("leaves every kept index all its children", () => {
    fc.assert(
      fc.property(plans, ({ facts, plan }) => {
        const { tags, gone } = contentAfter(facts, plan.steps);
        for (const digest of tags.values()) {
          for (const child of facts.primary.manifests.get(digest)?.children ?? []) {
            expect(gone.has(child.digest)).toBe(false);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it("does what its lines say: each line that goes has a step, and parents go before children", () => {
    fc.assert(
      fc.property(plans, ({ facts, plan }) => {
        const carried = new Set(plan.steps.flatMap(({ lines }) => lines));
        for (const [index, { decision }] of plan.lines.entries())
          expect(carried.has(index)).toBe(decision === "delete");
        const gone = new Set<Digest>();
        for (const [index, step] of plan.steps.entries()) {
          for (const required of step.requires) expect(required).toBeLessThan(index);
          if (step.op !== "delete-manifest") continue;
          for (const child of facts.primary.manifests.get(step.digest)?.children ?? []) {
            expect(gone.has(child.digest)).toBe(false);
          }
          gone.add(step.digest);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("is a matter of the facts alone, and survives being written down", () => {
    fc.assert(
      fc.property(worlds, (facts) => {
        const plan = planCleanup(facts, cleanupConfig);
        expect(planCleanup(facts, cleanupConfig)).toEqual(plan);
        expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
      }),
    );
  });
});
