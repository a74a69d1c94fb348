import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { type Git, gitFailure, gitIn, gitOutput } from "./command.js";
import { type GitReference, privateNamespace, type ReferenceSource } from "./history.js";
import type { GitRepository, ObjectId } from "./repository.js";

/** `gitWorktree` of werf.yaml. */
export interface FetchOptions {
  readonly forceShallowClone: boolean;
  readonly allowUnshallow: boolean;
  readonly allowFetchOriginBranchesAndTags: boolean;
}

/** A head or tag as the remote lists it, not peeled. */
export interface RemoteReference {
  readonly kind: "branch" | "tag";
  readonly name: string;
  readonly object: ObjectId;
}

/**
 * Brings origin's branches and tags into `refs/werf-ts`, and says where `readReferences` must look. Nothing
 * of the user's is written or pruned: not `refs/remotes`, not a tag, not FETCH_HEAD. What origin has deleted
 * goes from our namespace only.
 * @throws WerfError `git/shallow-clone`, `git/failed`
 */
export async function fetchReferences(
  run: RunContext,
  repo: GitRepository,
  options: FetchOptions,
): Promise<ReferenceSource> {
  const git = gitIn(run, repo.workTree);
  const hasOrigin = await registerOrigin(run, git);
  const mayFetch = hasOrigin && options.allowFetchOriginBranchesAndTags;
  const shallow = await isShallow(git);
  const unshallow = shallow && !options.forceShallowClone;
  if (unshallow && !(mayFetch && options.allowUnshallow)) throw shallowClone(repo.workTree);
  if (!mayFetch) return hasOrigin ? "tracking" : "local";
  const result = await git([
    "fetch",
    ...(unshallow ? ["--unshallow"] : []),
    "--prune",
    "--no-prune-tags",
    "--no-tags",
    // Without this, git also moves the user's refs/remotes/origin along.
    "--refmap=",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
    "--quiet",
    "origin",
    `+refs/heads/*:${privateNamespace}/remotes/origin/*`,
    `+refs/tags/*:${privateNamespace}/tags/*`,
  ]);
  if (result.exitCode !== 0) {
    throw gitFailure("cannot fetch the branches and tags of origin", result, undefined, run.secrets.redact);
  }
  return "fetched";
}

/**
 * What origin has at this moment; asked right before the first deletion. Not to be asked when the
 * references' source is `local`. @throws WerfError `git/failed`
 */
export async function lsRemote(run: RunContext, repo: GitRepository): Promise<RemoteReference[]> {
  const git = gitIn(run, repo.workTree);
  await registerOrigin(run, git);
  const result = await git(["ls-remote", "--quiet", "--refs", "--heads", "--tags", "origin"]);
  if (result.exitCode !== 0) {
    throw gitFailure("cannot list the branches and tags of origin", result, undefined, run.secrets.redact);
  }
  const lines = Buffer.from(result.stdout).toString("utf8").split("\n").slice(0, -1);
  return lines.flatMap((line) => {
    const [, object = "", folder, name = ""] = /^([0-9a-f]+)\trefs\/(heads|tags)\/(.*)$/.exec(line) ?? [];
    return folder === undefined
      ? []
      : [{ kind: folder === "tags" ? "tag" : "branch", name, object } as const];
  });
}

/**
 * References that appeared or moved since they were read: a plan made from the old ones is stale. Tags of
 * what is no commit are no references, here as in `readReferences`.
 */
export async function changedReferences(
  run: RunContext,
  repo: GitRepository,
  read: readonly GitReference[],
  now: readonly RemoteReference[],
): Promise<RemoteReference[]> {
  const git = gitIn(run, repo.workTree);
  const key = (r: RemoteReference | GitReference): string => `${r.kind} ${r.name} ${r.object}`;
  const known = new Set(read.map(key));
  const changed: RemoteReference[] = [];
  for (const reference of now) {
    if (known.has(key(reference))) continue;
    const peeled = await git(["cat-file", "-t", `${reference.object}^{}`]);
    const type = Buffer.from(peeled.stdout).toString("latin1").trim();
    if (peeled.exitCode !== 0 || type === "commit") changed.push(reference);
  }
  return changed;
}

/** Whether there is an `origin`; a password in its address becomes known to the redactor. */
async function registerOrigin(run: RunContext, git: Git): Promise<boolean> {
  const result = await git(["config", "--get-all", "remote.origin.url"]);
  const urls = Buffer.from(result.stdout).toString("utf8").split("\n").slice(0, -1);
  for (const url of urls) {
    const secret = /^[a-z+]+:\/\/(?:[^/@:]*:)?([^/@:]+)@/i.exec(url)?.[1];
    if (secret === undefined || /^(ssh|git)/i.test(url)) continue;
    run.secrets.add(secret);
    try {
      run.secrets.add(decodeURIComponent(secret));
    } catch {
      // Not percent-encoded.
    }
  }
  return urls.length > 0;
}

async function isShallow(git: Git): Promise<boolean> {
  const output = await gitOutput(git, "cannot ask whether the clone is shallow", [
    "rev-parse",
    "--is-shallow-repository",
  ]);
  return Buffer.from(output).toString("latin1").trim() === "true";
}

function shallowClone(workTree: string): WerfError {
  return new WerfError(
    "git/shallow-clone",
    `${workTree} is a shallow clone: images of the commits that it lacks would look unused`,
    {
      hint: "clone with the whole history (GIT_DEPTH: 0, fetch-depth: 0), run `git fetch --unshallow`, or set gitWorktree.allowUnshallow in werf.yaml",
    },
  );
}
