import { readFile, realpath } from "node:fs/promises";
import { posix, relative, resolve, sep } from "node:path";
import { buffer } from "node:stream/consumers";
import { WerfError } from "../core/errors.js";
import type { GitRepository, ObjectId, TreeEntry } from "../git/repository.js";

const maxFileSize = 16 * 1024 * 1024;

/** Whether a file may be taken from the work tree although it isn't committed as it is there. */
export interface Permission {
  readonly allowed: boolean;
  /** How to allow it, for the message. */
  readonly setting: string;
}

/**
 * Files of the project as giterminism wants them: those of the commit, an error where the work tree has
 * something else, and that of the work tree where this is allowed. Paths are relative to the project directory.
 */
export class ProjectFiles {
  readonly #git: GitRepository;
  readonly #commit: ObjectId;
  readonly #project: string;
  #tree: Promise<ReadonlyMap<string, TreeEntry>> | undefined;
  #uncommitted: Promise<ReadonlySet<string>> | undefined;

  /** @param project the project directory relative to the work tree, "" at its top */
  constructor(git: GitRepository, commit: ObjectId, project: string) {
    this.#git = git;
    this.#commit = commit;
    this.#project = project;
  }

  /**
   * The text of a file; `undefined` when it isn't there.
   * @throws WerfError `config/uncommitted`, `config/outside`
   */
  async read(path: string, permission: Permission): Promise<string | undefined> {
    const full = this.#full(path);
    const here = await this.#readWorkTree(full);
    if (permission.allowed) return here?.toString("utf8");
    const committed = await this.#git.readFile(this.#commit, full, maxFileSize);
    const same =
      here === undefined ? committed === undefined : committed !== undefined && here.equals(committed);
    if (!same && (await this.#differs(full))) throw this.#uncommittedError([path], permission.setting);
    return committed === undefined ? undefined : Buffer.from(committed).toString("utf8");
  }

  /**
   * The texts of all files whose path matches, sorted by path. Asks git once for the whole project.
   * @throws WerfError `config/uncommitted` that names all files that differ and aren't allowed to
   */
  async readAll(
    matches: (path: string) => boolean,
    permit: (path: string) => Permission,
  ): Promise<ReadonlyMap<string, string>> {
    const [tree, uncommitted] = [await this.tree(), await this.#uncommittedPaths()];
    const paths = [...new Set([...tree.keys(), ...uncommitted])].filter(matches).sort();
    const refused = paths.filter((path) => uncommitted.has(path) && !permit(path).allowed);
    const [first] = refused;
    if (first !== undefined) throw this.#uncommittedError(refused, permit(first).setting);
    const texts = new Map<string, string>();
    for (const path of paths) {
      const entry = tree.get(path);
      const text =
        entry === undefined || uncommitted.has(path) || permit(path).allowed
          ? (await this.#readWorkTree(this.#full(path)))?.toString("utf8")
          : await this.#readEntry(path, entry);
      if (text !== undefined) texts.set(path, text);
    }
    return texts;
  }

  /** What the commit has below the project directory. */
  tree(): Promise<ReadonlyMap<string, TreeEntry>> {
    this.#tree ??= this.#git
      .listTree(this.#commit, this.#project)
      .then((entries) => new Map(entries.map((entry) => [posix.relative(this.#project, entry.path), entry])));
    return this.#tree;
  }

  #uncommittedPaths(): Promise<ReadonlySet<string>> {
    this.#uncommitted ??= this.#git
      .uncommittedPaths(this.#project)
      .then((paths) => new Set(paths.map((path) => posix.relative(this.#project, path))));
    return this.#uncommitted;
  }

  async #readEntry(path: string, entry: TreeEntry): Promise<string | undefined> {
    if (entry.mode === "160000") return undefined;
    if (entry.mode === "120000" || entry.size > maxFileSize) {
      const bytes = await this.#git.readFile(this.#commit, this.#full(path), maxFileSize);
      return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
    }
    return (await buffer(await this.#git.readBlob(entry.oid, entry.size))).toString("utf8");
  }

  /** Bytes can differ from the commit's without a change of the user: line ends, filters, sparse checkouts. */
  async #differs(full: string): Promise<boolean> {
    const target = await realpath(resolve(this.#git.workTree, full)).catch(() => undefined);
    const real = target === undefined ? full : slashed(relative(this.#git.workTree, target));
    for (const path of new Set([full, real])) {
      if ((await this.#git.uncommittedPaths(path)).includes(path)) return true;
    }
    return false;
  }

  async #readWorkTree(full: string): Promise<Buffer | undefined> {
    const path = resolve(this.#git.workTree, full);
    try {
      const [root, target] = await Promise.all([realpath(this.#git.workTree), realpath(path)]);
      if (target !== root && !target.startsWith(root + sep)) return undefined;
      return await readFile(target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
      throw error;
    }
  }

  #full(path: string): string {
    const full = posix.join(this.#project, path);
    if (path.startsWith("/") || full === ".." || full.startsWith("../")) {
      throw new WerfError("config/outside", `${path} is not in the git work tree ${this.#git.workTree}`, {
        hint: "only files of the repository are read",
      });
    }
    return full;
  }

  #uncommittedError(paths: readonly string[], setting: string): WerfError {
    const [first = ""] = paths;
    const names = paths.length === 1 ? `${first} differs` : `${paths.join(", ")} differ`;
    return new WerfError(
      "config/uncommitted",
      `${names} from the commit ${this.#commit.slice(0, 12)}, which is what counts`,
      {
        hint: `commit ${paths.length === 1 ? "it" : "them"}, or allow it with ${setting} in werf-giterminism.yaml, or run with --loose-giterminism`,
      },
    );
  }
}

export function slashed(path: string): string {
  return path.split(sep).join("/");
}
