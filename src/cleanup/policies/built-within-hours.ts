import type { Digest } from "../../oci/digest.js";
import { type CleanupFacts, type RepositoryFacts, recordsOf } from "../facts.js";
import type { Policy, PolicyInput } from "./policy.js";

const hourMs = 3_600_000;

/**
 * Keeps what was built, published or used by a build lately: it is the only thing that stands between a
 * cleanup and a build that runs beside it.
 */
export const builtWithinHours: Policy = {
  id: "built-within-hours",
  keepsRejected: false,
  *protect(input) {
    const hours = hoursOf(input);
    if (hours === 0) return;
    const { facts } = input;
    const since = facts.takenAtMs - hours * hourMs;
    const uses = usesOf(facts);
    for (const repository of facts.final === undefined ? [facts.primary] : [facts.primary, facts.final]) {
      const births = birthsOf(repository);
      for (const [stage, read] of repository.stages) {
        if (read.kind !== "present") continue;
        const newest = Math.max(births.get(stage) ?? Number.POSITIVE_INFINITY, uses.get(stage) ?? 0);
        if (newest <= since) continue;
        yield { stage, reason: `built within last ${hours} hours`, evidence: ageOf(newest) };
      }
    }
  },
};

function ageOf(newestMs: number): string {
  if (newestMs === Number.POSITIVE_INFINITY) return "nothing tells its age";
  return `built, published or used on ${new Date(newestMs).toISOString()}`;
}

/** Hours that a stage is kept for; 0: the policy is off. */
export function hoursOf({ config, keepBuiltWithinHours }: Omit<PolicyInput, "facts">): number {
  if (config.disableBuiltWithinLastNHoursPolicy) return 0;
  return keepBuiltWithinHours ?? config.keepImagesBuiltWithinLastNHours;
}

/**
 * When each stage came: the newest of push time, tag and `created`, its own and of its platforms. A stage
 * that nothing tells of is missing; it counts as young.
 */
function birthsOf(repository: RepositoryFacts): Map<string, number> {
  const byDigest = new Map<Digest, number>();
  const present = [...repository.stages].flatMap(([tag, read]) =>
    read.kind === "present" ? [{ tag, facts: read.facts }] : [],
  );
  const births = new Map<string, number>();
  // Images before indexes, which take the times of their children.
  for (const { tag, facts } of present.sort((a, b) => a.facts.children.length - b.facts.children.length)) {
    const times = [
      repository.pushedAtMs.get(facts.digest),
      facts.description?.createdMs,
      timeOfTag(tag),
      ...facts.children.map(({ digest }) => byDigest.get(digest)),
    ].filter((time) => time !== undefined);
    if (times.length === 0) continue;
    const newest = Math.max(...times);
    births.set(tag, newest);
    byDigest.set(facts.digest, Math.max(newest, byDigest.get(facts.digest) ?? 0));
  }
  return births;
}

function timeOfTag(stage: string): number | undefined {
  const dash = stage.indexOf("-");
  return dash === -1 ? undefined : Number(stage.slice(dash + 1));
}

/** When a stage was last recorded: by the metadata of a commit, or by a custom tag. */
function usesOf(facts: CleanupFacts): Map<string, number> {
  const { repository } = recordsOf(facts);
  const uses = new Map<string, number>();
  const add = (stage: string, record: string): void => {
    const created = repository.records.get(record)?.createdMs;
    if (created !== undefined) uses.set(stage, Math.max(created, uses.get(stage) ?? 0));
  };
  for (const { stage, tag } of repository.snapshot.imageMetadata) add(stage, tag);
  for (const [record, { stage }] of repository.customTags) add(stage, record);
  return uses;
}
