import { posix } from "node:path";
import type { GitRepository } from "../../git/repository.js";
import { ignoreFileCandidates } from "./ignore.js";
import type { OpenedContext } from "./open.js";
import { sourceNames } from "./sources.js";

/**
 * Uncommitted files that the image would have, were they committed: below its context, not hidden by the
 * ignore file, and named by one of the COPY or ADD `sources`; also the Dockerfile and the ignore files
 * themselves. Relative to the work tree, sorted.
 */
export async function uncommittedOf(
  repo: Pick<GitRepository, "uncommittedPaths">,
  context: OpenedContext,
  sources: readonly string[],
): Promise<string[]> {
  const { directory, dockerfile, ignored } = context;
  const candidates = ignoreFileCandidates(posix.relative(directory, dockerfile));
  const rules = new Set([dockerfile, ...candidates.map((name) => posix.join(directory, name))]);
  const prefix = directory === "" ? "" : `${directory}/`;
  const matters = (path: string): boolean => {
    if (rules.has(path)) return true;
    if (!path.startsWith(prefix)) return false;
    const inside = path.slice(prefix.length);
    return ignored?.hides(inside) !== true && sources.some((source) => sourceNames(source, inside));
  };
  return (await repo.uncommittedPaths()).filter(matters);
}
