import type { RunContext } from "../core/run-context.js";
import { gitFailure, gitIn } from "./command.js";
import type { GitRepository, ObjectId } from "./repository.js";

export interface GraphCommit {
  readonly parents: readonly ObjectId[];
  /** Milliseconds since 1970, committer date. */
  readonly committedAt: number;
}

/**
 * Every commit that the heads reach, in the order of their dates, but none before a commit that has it as a
 * parent: commits of one second, as a rebase makes them, have no other order.
 */
export type CommitGraph = ReadonlyMap<ObjectId, GraphCommit>;

/**
 * Reads the history behind `heads` with one `git rev-list`, line by line.
 * @throws WerfError `git/failed`, also when a commit is missing: half a history must not look whole
 */
export async function readCommitGraph(
  run: RunContext,
  repo: GitRepository,
  heads: readonly ObjectId[],
): Promise<CommitGraph> {
  const graph = new Map<ObjectId, GraphCommit>();
  if (heads.length === 0) return graph;
  const same = new Map<ObjectId, ObjectId>();
  const intern = (hash: string): ObjectId => {
    const known = same.get(hash);
    if (known === undefined) same.set(hash, hash);
    return known ?? hash;
  };
  const lines = lineReader((line) => {
    const [seconds, hash, ...parents] = line.split(" ");
    if (hash === undefined) return;
    graph.set(intern(hash), { parents: parents.map(intern), committedAt: Number(seconds) * 1000 });
  });
  const args = ["rev-list", "--date-order", "--timestamp", "--parents", "--stdin"];
  const result = await gitIn(run, repo.workTree)(args, {
    stdin: `${[...new Set(heads)].join("\n")}\n`,
    onStdout: lines,
  });
  if (result.exitCode !== 0) throw gitFailure("cannot read the history of the branches and tags", result);
  return graph;
}

const hashPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Which of the hashes are commits of this repository. @throws WerfError `git/failed` */
export async function commitsExist(
  run: RunContext,
  repo: GitRepository,
  hashes: Iterable<string>,
): Promise<Set<ObjectId>> {
  const found = new Set<ObjectId>();
  const asked = [...new Set(hashes)].filter((hash) => hashPattern.test(hash));
  if (asked.length === 0) return found;
  const lines = lineReader((line) => {
    const [hash, type] = line.split(" ");
    if (hash !== undefined && type === "commit") found.add(hash);
  });
  const args = ["cat-file", "--batch-check=%(objectname) %(objecttype)", "--buffer"];
  const result = await gitIn(run, repo.workTree)(args, {
    stdin: `${asked.join("\n")}\n`,
    onStdout: lines,
    // In a partial clone every unknown hash would be a request to the server.
    env: { GIT_NO_LAZY_FETCH: "1" },
  });
  if (result.exitCode !== 0) throw gitFailure("cannot look up commits", result);
  return found;
}

/** Cuts pieces of ASCII text into lines. */
function lineReader(take: (line: string) => void): (chunk: Uint8Array) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("latin1")).split(
      "\n",
    );
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  };
}
