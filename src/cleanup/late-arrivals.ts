import type { Digest } from "../oci/digest.js";
import type { Store } from "../oci/store.js";
import { readStage } from "../records/stage-reader.js";
import { classifyTag } from "../records/tags.js";
import { type CleanupFacts, repositoriesOf } from "./facts.js";
import type { CleanupRepositories } from "./inventory/inputs.js";
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
  for (const [role, { snapshot }] of repositoriesOf(input.facts)) {
    const store = input.repositories[role]?.store;
    if (store === undefined) continue;
    for await (const tag of store.listTags()) {
      if (snapshot.tags.has(tag) || !(await needs(store, tag, doomed))) continue;
      return `${store.address}:${tag} came while the plan was made, and may need what was to go`;
    }
  }
  return undefined;
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
