import { posix } from "node:path";
import type { Readable } from "node:stream";
import { WerfError } from "../../core/errors.js";
import type { GitRepository, ObjectId, TreeEntry } from "../../git/repository.js";
import type { BuildContext } from "./context.js";
import { ignoreFileCandidates, ignoreRules } from "./ignore.js";

export interface ContextOptions {
  readonly commit: ObjectId;
  /** Relative to the work tree; "" is the work tree. */
  readonly projectDir: string;
  /** Relative to the project directory; "" is the project directory. */
  readonly context: string;
  /** Relative to the context; it may lie beside it, inside the project. */
  readonly dockerfile: string;
}

export interface OpenedContext extends BuildContext {
  /** Relative to the work tree, without a slash at the end. */
  readonly directory: string;
  /** The Dockerfile, relative to the work tree. */
  readonly dockerfile: string;
  /** The ignore file that is in force, relative to the context. */
  readonly ignoreFile?: string;
}

/**
 * The build context of an image as the commit has it, filtered by the first ignore file that there is. As in
 * Docker, rules may hide the Dockerfile from COPY: it reaches the engine by another way.
 * @throws WerfError `build/context-outside`, `build/context-missing`, `build/dockerignore-invalid`
 */
export async function openContext(repo: GitRepository, options: ContextOptions): Promise<OpenedContext> {
  const directory = inProject(options, options.context, "context");
  const dockerfile = inProject(options, posix.join(options.context || ".", options.dockerfile), "dockerfile");
  const all = await repo.listTree(options.commit, directory);
  if (all.length === 0) throw missing(options, directory);
  const relative = all.map((entry) => ({ ...entry, path: posix.relative(directory, entry.path) }));
  const shared = {
    directory,
    dockerfile,
    open: (file: TreeEntry) => openFile(repo, file),
  };
  for (const ignoreFile of ignoreFileCandidates(options.dockerfile)) {
    const path = posix.join(directory, ignoreFile);
    const bytes = await repo.readFile(options.commit, path);
    if (bytes === undefined) continue;
    const hides = ignoreRules(Buffer.from(bytes).toString("utf8"), path);
    const files: TreeEntry[] = [];
    const hidden = new Set<string>();
    for (const entry of relative) {
      if (hides(entry.path)) hidden.add(entry.path);
      else files.push(entry);
    }
    return { ...shared, files, ignoreFile, ignored: { by: ignoreFile, hides, paths: hidden } };
  }
  return { ...shared, files: relative };
}

async function openFile(repo: GitRepository, file: TreeEntry): Promise<Readable> {
  if (file.mode !== "160000") return repo.readBlob(file.oid, file.size);
  throw new WerfError("build/submodule", `${file.path} is a git submodule: its files are not in this commit`);
}

/** A path of the project as a path of the work tree. */
function inProject(options: ContextOptions, path: string, key: string): string {
  const inside = posix.normalize(path === "" ? "." : path);
  if (posix.isAbsolute(path) || inside === ".." || inside.startsWith("../")) {
    throw new WerfError("build/context-outside", `${key}: "${path}" lies outside of the project directory`, {
      hint: "name a path below the directory of werf.yaml; absolute paths and those that lead out are not built from",
    });
  }
  return posix.join(options.projectDir, inside).replace(/^\.$|\/$/g, "");
}

function missing(options: ContextOptions, directory: string): WerfError {
  const name = directory === "" ? "the work tree" : `"${directory}"`;
  return new WerfError(
    "build/context-missing",
    `the build context ${name} has no file in commit ${options.commit}`,
    {
      hint: "check `context` in werf.yaml, and that its files are committed: what is built comes from the commit",
    },
  );
}
