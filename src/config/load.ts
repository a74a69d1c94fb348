import { posix, relative, resolve } from "node:path";
import { isWerfError, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import type { Commit, GitRepository } from "../git/repository.js";
import { type Giterminism, parseGiterminism } from "./giterminism.js";
import type { WerfConfig } from "./model.js";
import { ProjectFiles, slashed } from "./project-files.js";
import { renderConfig } from "./rendering.js";
import { validateConfig } from "./validate/config-file.js";

export interface LoadOptions {
  /** What is built: files are read from here. */
  readonly commit: Commit;
  /** Relative to the work tree, with forward slashes; "" at its top. */
  readonly projectDir: string;
  /** `--config`: absolute, or relative to the current directory. Default: werf.yaml, then werf.yml. */
  readonly configPath?: string;
  /** `--config-templates-dir`: relative to the project directory. Default `.werf`. */
  readonly templatesDir?: string;
  /** `--env`. */
  readonly env?: string;
  /** `--giterminism-config`: absolute, or relative to the current directory. Default werf-giterminism.yaml. */
  readonly giterminismConfigPath?: string;
  readonly looseGiterminism: boolean;
}

export interface LoadedConfig {
  readonly config: WerfConfig;
  /** Of werf.yaml, relative to the project directory. */
  readonly path: string;
  /** The text that was validated: what `werf config render` prints. */
  readonly rendered: string;
  readonly giterminism: Giterminism;
}

const configNames = ["werf.yaml", "werf.yml"];
const giterminismName = "werf-giterminism.yaml";

const looseNote =
  `--loose-giterminism: configuration comes from the work tree, and others may build something else from the ` +
  `same commit; ${giterminismName} can allow just what is needed`;

/**
 * Reads, renders and checks werf.yaml of a commit.
 * @throws WerfError `config/missing`, `config/uncommitted`, `config/invalid`, `config/cycle`, `config/env`,
 * `template/*`
 */
export async function loadConfig(
  run: RunContext,
  repo: GitRepository,
  options: LoadOptions,
): Promise<WerfConfig> {
  return (await loadProjectConfig(run, repo, options)).config;
}

/** The same, with the text that was validated and the rules that it was read under. @throws as `loadConfig` */
export async function loadProjectConfig(
  run: RunContext,
  repo: GitRepository,
  options: LoadOptions,
): Promise<LoadedConfig> {
  const files = new ProjectFiles(repo, options.commit.hash, options.projectDir);
  const giterminism = await readGiterminism(run, repo, files, options);
  if (giterminism.loose) run.emit({ code: "note", level: "info", message: looseNote });
  const { path, text } = await readConfigFile(run, repo, files, giterminism, options);
  const rendered = await renderConfig(
    run,
    { name: path, text },
    { ...options, files, giterminism, templatesDir: options.templatesDir ?? ".werf" },
  );
  const moved = lineCount(rendered) !== lineCount(text);
  const config = validateConfig(path, rendered, {
    projectName: run.env["WERF_PROJECT_NAME"],
    ...(moved ? { note: " (positions are those of the rendered file: see `werf config render`)" } : {}),
  });
  return { config, path, rendered, giterminism };
}

async function readGiterminism(
  run: RunContext,
  repo: GitRepository,
  files: ProjectFiles,
  options: LoadOptions,
): Promise<Giterminism> {
  const given = options.giterminismConfigPath;
  const path = given === undefined ? giterminismName : fromProject(run, repo, options.projectDir, given);
  // The file that allows things can't allow itself.
  const permission = { allowed: options.looseGiterminism, setting: "nothing" };
  const text = await files.read(path, permission).catch((error: unknown) => {
    throw isWerfError(error) && error.code === "config/uncommitted"
      ? new WerfError(error.code, error.message, { hint: `commit ${path}` })
      : error;
  });
  if (text === undefined && given !== undefined) throw missing([path], repo, options);
  return parseGiterminism(path, text, options.looseGiterminism);
}

async function readConfigFile(
  run: RunContext,
  repo: GitRepository,
  files: ProjectFiles,
  giterminism: Giterminism,
  options: LoadOptions,
): Promise<{ path: string; text: string }> {
  const given = options.configPath;
  const names = given === undefined ? configNames : [fromProject(run, repo, options.projectDir, given)];
  const permission = {
    allowed: giterminism.allowsUncommittedConfig(),
    setting: "config.allowUncommitted: true",
  };
  for (const path of names) {
    const text = await files.read(path, permission);
    if (text !== undefined) return { path, text };
  }
  throw missing(names, repo, options);
}

function missing(
  names: readonly string[],
  repo: GitRepository,
  { commit, projectDir, looseGiterminism }: LoadOptions,
): WerfError {
  const paths = names.map((name) => posix.join(projectDir, name)).join(" or ");
  const place = looseGiterminism
    ? repo.workTree
    : `the commit ${commit.hash.slice(0, 12)} of ${repo.workTree}`;
  return new WerfError("config/missing", `there is no ${paths} in ${place}`, {
    hint:
      "name the project's directory with --dir, or write a werf.yaml:\n" +
      "  project: NAME\n  configVersion: 1\n  ---\n  image: app\n  dockerfile: Dockerfile",
  });
}

/** A path that the user gave, relative to the project directory. */
function fromProject(run: RunContext, repo: GitRepository, projectDir: string, path: string): string {
  return slashed(relative(resolve(repo.workTree, projectDir), resolve(run.cwd, path)));
}

function lineCount(text: string): number {
  return text.split("\n").length;
}
