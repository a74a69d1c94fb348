import type { CleanupConfig } from "../../config/model.js";
import { openFactsCache } from "../../records/facts-cache.js";
import {
  type CleanupFacts,
  type Interrupted,
  type InterruptedManifest,
  type RepositoryRole,
  recordsOf,
} from "../facts.js";
import type { Plan } from "../plan.js";
import { type CleanupOptions, planCleanup, planPurge } from "../planner.js";
import { readInterrupted } from "../saved-plan.js";
import type { InventoryInput, InventoryRun } from "./inputs.js";
import { RepositoryInventory } from "./repository-inventory.js";

/** Planning reads what a draft wants to delete, and drafts again; more rounds than this mean a defect. */
const maxRounds = 50;

/** A plan, and the facts that it was made from (which the check after the run needs). */
export interface Planned {
  readonly plan: Plan;
  readonly facts: CleanupFacts;
}

/**
 * Reads the repositories and plans a cleanup; nothing is written but the cache of facts.
 * @throws WerfError whatever a registry answers that isn't an answer: a part is never taken for the whole
 */
export function gatherCleanup(
  run: InventoryRun,
  input: InventoryInput,
  config: CleanupConfig,
  options: CleanupOptions = {},
): Promise<Planned> {
  return gather(run, input, (facts) => planCleanup(facts, config, options));
}

/** Reads the repositories and plans a purge; no setting of werf.yaml changes what a purge removes. */
export function gatherPurge(run: InventoryRun, input: InventoryInput): Promise<Planned> {
  return gather(run, input, planPurge);
}

async function gather(
  run: InventoryRun,
  input: InventoryInput,
  planOf: (facts: CleanupFacts) => Plan,
): Promise<Planned> {
  const takenAtMs = run.clock.now().getTime();
  const inventories = new Map<RepositoryRole, RepositoryInventory>();
  for (const role of ["primary", "final", "meta"] as const) {
    const repository = input.repositories[role];
    if (repository === undefined) continue;
    const cache = await openFactsCache(run, repository.store.address);
    inventories.set(role, await RepositoryInventory.read(repository, cache, input.readBundle));
  }
  const interrupted = await stillThere(run, input, inventories);
  for (let round = 0; round < maxRounds; round++) {
    const facts = factsOf(input, takenAtMs, inventories, interrupted);
    const plan = planOf(facts);
    run.signal.throwIfAborted();
    if (!(await deepen(inventories, facts, plan))) return { plan, facts };
  }
  throw new Error("planning a cleanup did not come to an end");
}

async function stillThere(
  run: InventoryRun,
  input: InventoryInput,
  inventories: ReadonlyMap<RepositoryRole, RepositoryInventory>,
): Promise<Interrupted> {
  const { manifests, records } = await readInterrupted(run, input.project, addressesOf(input));
  const left: InterruptedManifest[] = [];
  for (const manifest of manifests) {
    if (await inventories.get(manifest.repository)?.exists(manifest.digest)) left.push(manifest);
  }
  return { manifests: left, records };
}

export function addressesOf(input: Pick<InventoryInput, "repositories">): Plan["repositories"] {
  const { primary, final, meta } = input.repositories;
  return {
    primary: primary.store.address,
    ...(final === undefined ? {} : { final: final.store.address }),
    ...(meta === undefined ? {} : { meta: meta.store.address }),
  };
}

function factsOf(
  input: InventoryInput,
  takenAtMs: number,
  inventories: ReadonlyMap<RepositoryRole, RepositoryInventory>,
  interrupted: Interrupted,
): CleanupFacts {
  const primary = inventories.get("primary");
  if (primary === undefined) throw new Error("the primary repository was not read");
  const final = inventories.get("final");
  const meta = inventories.get("meta");
  return {
    project: input.project,
    takenAtMs,
    primary: primary.facts(),
    ...(final === undefined ? {} : { final: final.facts() }),
    ...(meta === undefined ? {} : { meta: meta.facts() }),
    imageNames: input.imageNames,
    ...(input.git === undefined ? {} : { git: input.git }),
    ...(input.used === undefined ? {} : { used: input.used }),
    keepList: input.keepList ?? [],
    interrupted,
  };
}

/**
 * Reads what can still save something that the draft condemns: times of its metadata, its referrers, and
 * records that decide by their labels. `false`: there was nothing left to read.
 */
async function deepen(
  inventories: ReadonlyMap<RepositoryRole, RepositoryInventory>,
  facts: CleanupFacts,
  plan: Plan,
): Promise<boolean> {
  let learnt = false;
  const going = plan.lines.filter(({ decision }) => decision === "delete");
  const stages = new Set(going.filter(({ type }) => type === "stage").map(({ tag }) => tag));
  const records = recordsOf(facts);
  for (const [role, inventory] of inventories) {
    const here = going.filter(({ repository }) => repository === role);
    const digests = here.flatMap(({ type, digest }) =>
      recordTypes.has(type) || digest === undefined ? [] : [digest],
    );
    const unread = plan.unread.filter(({ repository }) => repository === role).map(({ tag }) => tag);
    const witnesses =
      role === records.role
        ? records.repository.snapshot.imageMetadata
            .filter(({ stage }) => stages.has(stage))
            .map(({ tag }) => tag)
        : [];
    const recordTags = here.flatMap(({ type, tag }) =>
      recordTypes.has(type) && tag !== undefined ? [tag] : [],
    );
    const steps = [
      going.length > 0 && (await inventory.resolveRecords()),
      await inventory.readRecords([...unread, ...witnesses]),
      await inventory.refresh(recordTags),
      await inventory.readReferrers(digests),
    ];
    learnt ||= steps.includes(true);
  }
  return learnt;
}

const recordTypes: ReadonlySet<string> = new Set([
  "imageMetadata",
  "customTagRecord",
  "managedImage",
  "rejectedStageMarker",
  "oldGeneration",
  "marker",
]);
