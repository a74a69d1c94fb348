import type { RunContext } from "../core/run-context.js";
import { type Git, gitFailure, gitIn, gitOutput } from "./command.js";
import type { GitRepository, ObjectId } from "./repository.js";

/** A branch or tag that may keep images. */
export interface GitReference {
  readonly kind: "branch" | "tag";
  /** Without `origin/`. */
  readonly name: string;
  /** The commit, with tags peeled. */
  readonly commit: ObjectId;
  /** What the reference itself names: a tag object, for an annotated tag. */
  readonly object: ObjectId;
  /** Committer date of the commit; of an annotated tag, its tagger date. */
  readonly date: Date;
}

/**
 * Where references are read. `fetched`: what `fetchReferences` brought now; `tracking`: the user's own
 * `refs/remotes/origin`, when fetching is not allowed; `local`: branches of a repository without a remote.
 */
export type ReferenceSource = "fetched" | "tracking" | "local";

/** Our own copies of origin's references; the user's are never written. */
export const privateNamespace = "refs/werf-ts";

const namespaces: Readonly<Record<ReferenceSource, { readonly branches: string; readonly tags: string }>> = {
  fetched: { branches: `${privateNamespace}/remotes/origin/`, tags: `${privateNamespace}/tags/` },
  tracking: { branches: "refs/remotes/origin/", tags: "refs/tags/" },
  local: { branches: "refs/heads/", tags: "refs/tags/" },
};

const fields = [
  "refname",
  "symref",
  "objectname",
  "objecttype",
  "*objectname",
  "*objecttype",
  "committerdate:unix",
  "*committerdate:unix",
  "taggerdate:unix",
];

/**
 * Branches and tags with their dates. Symbolic references, and tags of what is no commit, keep nothing and
 * are left out. @throws WerfError `git/failed`
 */
export async function readReferences(
  run: RunContext,
  repo: GitRepository,
  source: ReferenceSource,
): Promise<GitReference[]> {
  const git = gitIn(run, repo.workTree);
  const { branches, tags } = namespaces[source];
  const format = fields.map((field) => `%(${field})`).join("%00");
  const output = await gitOutput(git, "cannot read the branches and tags", [
    "for-each-ref",
    `--format=${format}`,
    branches,
    tags,
  ]);
  const lines = Buffer.from(output).toString("utf8").split("\n").slice(0, -1);
  const references: GitReference[] = [];
  for (const line of lines) {
    const record = line.split("\0");
    const [name = "", symref = ""] = record;
    if (symref !== "") continue;
    const target = await peel(git, record);
    if (target === undefined) continue;
    const kind = name.startsWith(tags) ? "tag" : "branch";
    const short = name.slice((kind === "tag" ? tags : branches).length);
    references.push({ kind, name: short, object: record[2] ?? "", ...target });
  }
  return references;
}

async function peel(
  git: Git,
  record: readonly string[],
): Promise<{ commit: ObjectId; date: Date } | undefined> {
  const [name, , object = "", type, peeled = "", peeledType, committed, peeledCommitted, tagged] = record;
  if (type === "commit") return { commit: object, date: fromUnix(committed) };
  if (type !== "tag") return undefined;
  // Tags from before 2005 have no tagger.
  if (peeledType === "commit") return { commit: peeled, date: fromUnix(tagged || peeledCommitted) };
  if (peeledType !== "tag") return undefined;
  // git before 2.45 peels only one layer.
  const inner = await git([
    "rev-list",
    "--max-count=1",
    "--timestamp",
    "--ignore-missing",
    `${object}^{commit}`,
  ]);
  const [seconds, commit] = Buffer.from(inner.stdout).toString("latin1").trim().split(" ");
  if (inner.exitCode !== 0 || commit === undefined) {
    const said = await git(["cat-file", "-t", `${object}^{}`]);
    if (said.exitCode === 0 && Buffer.from(said.stdout).toString("latin1").trim() !== "commit")
      return undefined;
    throw gitFailure(`cannot follow the tag ${name} to its commit`, inner);
  }
  return { commit, date: fromUnix(tagged || seconds) };
}

function fromUnix(seconds: string | undefined): Date {
  return new Date(Number(seconds) * 1000);
}
