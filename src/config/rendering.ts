import { posix } from "node:path";
import { WerfError } from "../core/errors.js";
import { globToRegExp } from "../core/glob.js";
import type { RunContext } from "../core/run-context.js";
import type { Commit } from "../git/repository.js";
import { renderTemplate, type TemplateFunction, type TemplateSource } from "../template/render.js";
import { FileRequests } from "./file-requests.js";
import type { Giterminism } from "./giterminism.js";
import type { ProjectFiles } from "./project-files.js";

export interface RenderingOptions {
  readonly commit: Commit;
  readonly env?: string | undefined;
  /** Relative to the project directory. */
  readonly templatesDir: string;
  readonly giterminism: Giterminism;
  readonly files: ProjectFiles;
}

/** How often the text is rendered to find all files that it reads. */
const maxRounds = 1000;

/**
 * Renders werf.yaml. Templates run without waiting, files of git come later: a file that isn't known yet is empty
 * for the time being, and the text is rendered again when it is there, until nothing new was asked for.
 * @throws WerfError `template/*`, `config/uncommitted`, `config/env`
 */
export async function renderConfig(
  run: RunContext,
  source: TemplateSource,
  options: RenderingOptions,
): Promise<string> {
  if (!source.text.includes("{{")) return source.text;
  const templates = await readTemplates(options);
  const requests = new FileRequests(options.files, options.giterminism);
  const rendering = {
    templates,
    data: dataOf(options),
    functions: { env: envFunction(run, options.giterminism) },
    methods: methodsOf(requests),
    now: () => run.clock.now(),
  };
  for (let round = 0; round < maxRounds; round++) {
    const outcome = await renderTemplate(source, rendering).then(
      (text) => ({ text }),
      (error: unknown) => ({ error }),
    );
    if (requests.complete) {
      if ("error" in outcome) throw outcome.error;
      return outcome.text;
    }
    await requests.load();
  }
  throw new WerfError("template/failed", `${source.name} asks for other files each time it is rendered`);
}

async function readTemplates({
  files,
  templatesDir,
  giterminism,
}: RenderingOptions): Promise<TemplateSource[]> {
  const prefix = `${posix.normalize(templatesDir).replace(/\/$/, "")}/`;
  const texts = await files.readAll(
    (path) => path.startsWith(prefix) && path.endsWith(".tmpl"),
    (path) => ({
      allowed: giterminism.allowsUncommittedTemplate(path),
      setting: "config.allowUncommittedTemplates",
    }),
  );
  return [...texts].map(([path, text]) => ({ name: path.slice(prefix.length), text }));
}

function dataOf({ commit, env }: RenderingOptions): Record<string, unknown> {
  const iso = commit.committedAt.toISOString();
  return {
    Env: env ?? "",
    Commit: {
      Hash: commit.hash,
      Date: {
        // As Go prints a time, in UTC.
        Human: `${iso.slice(0, 10)} ${iso.slice(11, 19)} +0000 UTC`,
        Unix: String(Math.floor(commit.committedAt.getTime() / 1000)),
      },
    },
    Files: {},
  };
}

function methodsOf(requests: FileRequests): Record<`${string}.${string}`, TemplateFunction> {
  return {
    "Files.Get": (path) => requests.get(pathOf(path)),
    "Files.Glob": (glob) => requests.glob(globToRegExp(pathOf(glob)), pathOf(glob)),
    "Files.Exists": (path) => requests.has(pathOf(path), "any"),
    "Files.IsDir": (path) => requests.has(pathOf(path), "directory"),
  };
}

function pathOf(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new Error("the argument must be a path");
  return posix.normalize(value).replace(/^\.?\//, "");
}

/** `env NAME [default]`: what it may read is told by werf-giterminism.yaml. */
function envFunction(run: RunContext, giterminism: Giterminism): TemplateFunction {
  return (name, ...rest) => {
    if (typeof name !== "string") throw new Error("the first argument must be the name of a variable");
    if (!giterminism.allowsVariable(name)) throw notAllowed(name);
    const value = run.env[name];
    const [fallback] = rest;
    if (rest.length > 0) return value === undefined || value === "" ? fallback : value;
    if (value !== undefined) return value;
    if (giterminism.loose) return "";
    throw new Error(`the environment variable ${name} is not set, and there is no default after its name`);
  };
}

function notAllowed(name: string): WerfError {
  return new WerfError(
    "config/env",
    `werf.yaml reads the environment variable ${name}, which is not allowed`,
    {
      hint: `allow it in werf-giterminism.yaml:\n  giterminismConfigVersion: 1\n  config: {goTemplateRendering: {allowEnvVariables: [${name}]}}`,
    },
  );
}
