import type { Giterminism } from "./giterminism.js";
import type { Permission, ProjectFiles } from "./project-files.js";

type Loader = () => Promise<unknown>;

/** Files that templates ask for, remembered until they are loaded; a value that isn't there yet is empty. */
export class FileRequests {
  readonly #files: ProjectFiles;
  readonly #giterminism: Giterminism;
  readonly #answers = new Map<string, unknown>();
  readonly #pending = new Map<string, Loader>();

  constructor(files: ProjectFiles, giterminism: Giterminism) {
    this.#files = files;
    this.#giterminism = giterminism;
  }

  /** Whether everything that was asked for could be answered. */
  get complete(): boolean {
    return this.#pending.size === 0;
  }

  /** Loads what was asked for and wasn't known. */
  async load(): Promise<void> {
    for (const [key, loader] of this.#pending) this.#answers.set(key, await loader());
    this.#pending.clear();
  }

  get(path: string): string {
    const text = this.#ask(`get ${path}`, "", () => this.#files.read(path, this.#permit(path)));
    if (text === undefined) throw new Error(`the file ${path} is not there`);
    return text;
  }

  glob(pattern: RegExp, source: string): Readonly<Record<string, string>> {
    return this.#ask(`glob ${source}`, {}, async () => {
      const texts = await this.#files.readAll(
        (path) => pattern.test(path),
        (path) => this.#permit(path),
      );
      return Object.fromEntries(texts);
    });
  }

  has(path: string, kind: "any" | "directory"): boolean {
    return this.#ask(`${kind} ${path}`, false, async () => {
      const paths = [...(await this.#files.tree()).keys()];
      const isDirectory = path === "" || path === "." || paths.some((other) => other.startsWith(`${path}/`));
      if (isDirectory || kind === "directory") return isDirectory;
      return (await this.#files.read(path, this.#permit(path))) !== undefined;
    });
  }

  #permit(path: string): Permission {
    return {
      allowed: this.#giterminism.allowsUncommittedFile(path),
      setting: "config.goTemplateRendering.allowUncommittedFiles",
    };
  }

  #ask<T>(key: string, meanwhile: NoInfer<T>, load: () => Promise<T>): T {
    if (this.#answers.has(key)) return this.#answers.get(key) as T;
    this.#pending.set(key, load);
    return meanwhile;
  }
}
