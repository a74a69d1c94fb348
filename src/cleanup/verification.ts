import { mapConcurrently } from "../core/concurrency.js";
import type { Digest } from "../oci/digest.js";
import type { Store } from "../oci/store.js";
import { type CleanupFacts, type RepositoryFacts, type RepositoryRole, repositoriesOf } from "./facts.js";
import { type CleanupRepositories, requestsAtOnce } from "./inventory/inputs.js";
import type { Plan } from "./plan.js";

interface Verified {
  readonly plan: Plan;
  readonly facts: CleanupFacts;
  readonly repositories: CleanupRepositories;
}

/**
 * Looks whether everything that the plan keeps is still whole: tags resolve, indexes have their platforms,
 * bundles their images. What somebody pushed anew meanwhile is no damage.
 */
export async function findBroken(
  { plan, facts, repositories }: Verified,
  gone: ReadonlyMap<RepositoryRole, ReadonlySet<Digest>>,
): Promise<string[]> {
  const broken: string[] = [];
  for (const [role, repository] of repositoriesOf(facts)) {
    const store = repositories[role]?.store;
    if (store === undefined || (gone.get(role)?.size ?? 0) + tagSteps(plan, role) === 0) continue;
    const kept = plan.lines.filter((line) => line.repository === role && line.decision === "keep");
    const tags = kept.flatMap(({ tag, digest }) =>
      tag === undefined || digest === undefined ? [] : [{ tag, digest }],
    );
    const checks = [
      ...tags.map(
        ({ tag, digest }) =>
          () =>
            checkTag(store, tag, digest),
      ),
      ...needed(repository, new Set(tags.map(({ digest }) => digest)), gone.get(role)).map(
        ({ digest, by }) =>
          () =>
            checkDigest(store, digest, by),
      ),
    ];
    const found = await mapConcurrently(checks, requestsAtOnce, (check) => check());
    broken.push(...found.filter((problem) => problem !== undefined));
  }
  return broken;
}

function tagSteps(plan: Plan, role: RepositoryRole): number {
  return plan.steps.filter(({ repository, op }) => repository === role && op !== "delete-manifest").length;
}

async function checkTag(store: Store, tag: string, digest: Digest): Promise<string | undefined> {
  const stat = await store.statManifest(tag);
  return stat.kind === "present"
    ? undefined
    : `${store.address}:${tag} was to be kept (${digest}), and is gone`;
}

async function checkDigest(store: Store, digest: Digest, by: string): Promise<string | undefined> {
  const stat = await store.statManifest(digest);
  return stat.kind === "present" ? undefined : `${store.address}@${digest} is gone, but ${by} needs it`;
}

/** Children of kept indexes and images of bundles: those that were there, by what we know, or that we deleted. */
function needed(
  repository: RepositoryFacts,
  kept: ReadonlySet<Digest>,
  gone: ReadonlySet<Digest> | undefined,
): { digest: Digest; by: string }[] {
  const known = new Set(repository.digests.values());
  const all: { digest: Digest; by: string }[] = [];
  const add = (digest: Digest, by: string): void => {
    if (known.has(digest) || gone?.has(digest) === true) all.push({ digest, by });
  };
  for (const digest of kept) {
    for (const child of repository.manifests.get(digest)?.children ?? [])
      add(child.digest, `the index ${digest}`);
  }
  for (const { tag, protects } of repository.bundles) {
    for (const digest of protects.digests) add(digest, `the bundle ${tag}`);
  }
  return all;
}
