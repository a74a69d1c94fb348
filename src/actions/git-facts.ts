import type { GitFacts } from "../cleanup/index.js";
import type { RunContext } from "../core/run-context.js";
import { readCommitGraph } from "../git/commit-graph.js";
import { type GitReference, type ReferenceSource, readReferences } from "../git/history.js";
import { changedReferences, fetchReferences, lsRemote } from "../git/remote.js";
import type { Project } from "./project.js";

/** What git history says, and a way to ask whether it still says so. */
export interface GitEvidence {
  readonly facts: GitFacts;
  /** Asks the remote at this moment. */
  check(): Promise<"same" | "moved">;
}

/** Reads branches, tags and commits: of origin, fetched into private references; of the clone, without one. */
export async function readGitEvidence(run: RunContext, { git, config }: Project): Promise<GitEvidence> {
  const source = await fetchReferences(run, git, config.gitWorktree);
  const references = await readReferences(run, git, source);
  const commits = await readCommitGraph(run, git, [...new Set(references.map(({ commit }) => commit))]);
  return { facts: { references, commits }, check: () => checkReferences(run, git, source, references) };
}

async function checkReferences(
  run: RunContext,
  git: Project["git"],
  source: ReferenceSource,
  read: readonly GitReference[],
): Promise<"same" | "moved"> {
  // Without fetching, what the clone has is what was asked for; origin may well be ahead of it.
  if (source !== "fetched") return "same";
  const changed = await changedReferences(run, git, read, await lsRemote(run, git));
  return changed.length === 0 ? "same" : "moved";
}
