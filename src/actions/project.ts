import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { loadProjectConfig } from "../config/load.js";
import type { WerfConfig } from "../config/model.js";
import type { RunContext } from "../core/run-context.js";
import { openGitRepository } from "../git/open.js";
import type { Commit, GitRepository } from "../git/repository.js";

export interface ProjectSettings {
  readonly dir?: string | undefined;
  readonly config?: string | undefined;
  readonly configTemplatesDir: string;
  readonly giterminismConfig?: string | undefined;
  readonly env?: string | undefined;
  readonly looseGiterminism: boolean;
}

/** A git work tree, its HEAD and what werf.yaml says there. */
export interface Project {
  readonly git: GitRepository;
  readonly commit: Commit;
  readonly config: WerfConfig;
  /** The text of werf.yaml after its templates, which `config` was read from. */
  readonly rendered: string;
  /** Of werf.yaml, absolute. */
  readonly directory: string;
  /** The same, relative to the work tree, with forward slashes; "" at its top. */
  readonly path: string;
}

/** Opens the project, hands it to `use`, and ends its git processes. */
export async function withProject<T>(
  run: RunContext,
  settings: ProjectSettings,
  use: (project: Project) => Promise<T>,
): Promise<T> {
  const directory = resolve(run.cwd, settings.dir ?? ".");
  const git = await openGitRepository(run, directory);
  try {
    const commit = await git.head();
    // Git answers with links resolved.
    const path = relative(git.workTree, await realpath(directory))
      .split(sep)
      .join("/");
    const { config, rendered } = await loadProjectConfig(run, git, {
      commit,
      projectDir: path,
      templatesDir: settings.configTemplatesDir,
      looseGiterminism: settings.looseGiterminism,
      ...(settings.config === undefined ? {} : { configPath: settings.config }),
      ...(settings.env === undefined ? {} : { env: settings.env }),
      ...(settings.giterminismConfig === undefined
        ? {}
        : { giterminismConfigPath: settings.giterminismConfig }),
    });
    return await use({ git, commit, config, rendered, directory, path });
  } finally {
    await git.close();
  }
}

/** A path that the user gave, from the directory they are in. */
export function userPath(run: Pick<RunContext, "cwd">, path: string): string {
  return isAbsolute(path) ? path : resolve(run.cwd, path);
}
