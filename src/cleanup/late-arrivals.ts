import { mapConcurrently } from "../core/concurrency.js";
import type { Digest } from "../oci/digest.js";
import type { Store } from "../oci/store.js";
import { readStage } from "../records/stage-reader.js";
import { classifyTag } from "../records/tags.js";
import { type CleanupFacts, repositoriesOf } from "./facts.js";
import { type CleanupRepositories, requestsAtOnce } from "./inventory/inputs.js";
import { readRecord } from "./inventory/record-reader.js";
import type { Plan } from "./plan.js";

/** What the plan deletes, of all repositories together. */
interface Doomed {
  readonly tags: ReadonlySet<string>;
  readonly digests: ReadonlySet<Digest>;
}

/**
 * Lists the tags once more, right before the first deletion: has something come since that needs, or may
 * need, what is to go? A build that reuses a stage pushes its metadata first, so one side sees the other.
 * @returns what came, in words; `undefined` when nothing did
 */
export async function findLateArrival(input: {
  readonly plan: Plan;
  readonly facts: CleanupFacts;
  readonly repositories: CleanupRepositories;
}): Promise<string | undefined> {
  const going = input.plan.lines.filter(({ decision }) => decision === "delete");
  const doomed: Doomed = {
    tags: new Set(going.flatMap(({ tag }) => tag ?? [])),
    digests: new Set(going.flatMap(({ digest }) => digest ?? [])),
  };
  for (const [role, { snapshot, digests }] of repositoriesOf(input.facts)) {
    const store = input.repositories[role]?.store;
    if (store === undefined) continue;
    let listed = 0;
    for await (const tag of store.listTags()) {
      listed++;
      if (snapshot.tags.has(tag) || !(await needs(store, tag, doomed))) continue;
      return `${store.address}:${tag} came while the plan was made, and may need what was to go`;
    }
    if (listed === 0 && snapshot.tags.size > 0) return `${store.address} shows no tags any more`;
    const indexes = snapshot.stages.flatMap(({ kind, tag }) => (kind === "index-stage" ? [tag] : []));
    const staying = [...snapshot.foreign, ...indexes].filter((tag) => !doomed.tags.has(tag));
    const moved = await findMoved(store, staying, digests);
    if (moved !== undefined) return `${store.address}:${moved} moved while the plan was made`;
  }
  return undefined;
}

/** Tags without a time may move: to what is to go, to a bundle that needs it, to an index that lists it. */
async function findMoved(
  store: Store,
  tags: readonly string[],
  before: ReadonlyMap<string, Digest>,
): Promise<string | undefined> {
  const found = await mapConcurrently(tags, requestsAtOnce, async (tag) => {
    const stat = await store.statManifest(tag);
    return stat.kind === "present" && stat.descriptor.digest !== before.get(tag) ? tag : undefined;
  });
  return found.find((tag) => tag !== undefined);
}

async function needs(store: Store, tag: string, doomed: Doomed): Promise<boolean> {
  const record = classifyTag(tag);
  switch (record.kind) {
    case "image-metadata":
      return doomed.tags.has(record.stage);
    case "attached":
      return doomed.digests.has(record.subject);
    case "custom-tag": {
      const read = await readRecord(store, tag);
      return read.kind === "present" && doomed.tags.has(read.customTag?.stage ?? "");
    }
    case "stage":
    case "index-stage":
      return stageNeeds(store, tag, doomed);
    // It may be a bundle, a custom tag, an index: the next plan looks into it.
    case "foreign":
      return true;
    case "rejected":
    case "managed-image":
    case "last-cleanup":
    case "meta-repo-marker":
    case "old-generation":
      return false;
  }
}

async function stageNeeds(store: Store, tag: string, doomed: Doomed): Promise<boolean> {
  const read = await readStage(store, tag);
  if (read.kind !== "present") return false;
  const { digest, children, subject, description } = read.facts;
  const digests = [
    digest,
    ...children.map((child) => child.digest),
    ...(subject === undefined ? [] : [subject]),
  ];
  const stages = [
    ...(description?.dependencies ?? []),
    ...(description?.parent === undefined ? [] : [description.parent]),
  ];
  return (
    digests.some((needed) => doomed.digests.has(needed)) || stages.some((needed) => doomed.tags.has(needed))
  );
}
