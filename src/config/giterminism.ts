import { isWerfError } from "../core/errors.js";
import { globToRegExp } from "../core/glob.js";
import { compileRe2 } from "../core/re2.js";
import { MapReader } from "./validate/map-reader.js";
import { YamlFile } from "./validate/yaml-file.js";

/**
 * What may differ from the commit, or come from outside of it, for the same commit to give the same result
 * anywhere. Paths are relative to the project directory.
 */
export interface Giterminism {
  /** `--loose-giterminism`: all is allowed, and files are read from the work tree. */
  readonly loose: boolean;
  /** `--use-custom-tag`. */
  readonly allowsCustomTags: boolean;
  readonly allowsIncludesUpdate: boolean;
  allowsUncommittedConfig(): boolean;
  allowsUncommittedTemplate(path: string): boolean;
  /** Files that a template reads. */
  allowsUncommittedFile(path: string): boolean;
  allowsUncommittedDockerfile(path: string): boolean;
  allowsUncommittedDockerignore(path: string): boolean;
  allowsContextAddFile(path: string): boolean;
  /** The function `env` of templates. */
  allowsVariable(name: string): boolean;
  allowsSecretVariable(name: string): boolean;
  allowsSecretFile(path: string): boolean;
  allowsSecretValue(id: string): boolean;
}

type Matcher = (text: string) => boolean;

/**
 * Reads werf-giterminism.yaml; no text: nothing is allowed.
 * @throws WerfError `config/invalid` with all problems of the file
 */
export function parseGiterminism(name: string, text: string | undefined, loose: boolean): Giterminism {
  if (text === undefined) return rules(undefined, loose);
  const file = new YamlFile(name, text);
  if (file.broken) file.throwProblems();
  const [document, second] = file.documents;
  if (second !== undefined) file.problem(second, "there must be one document");
  const reader = document === undefined ? undefined : new MapReader(file, document, "werf-giterminism.yaml");
  const version = reader?.string("giterminismConfigVersion");
  if (version !== "1") {
    file.problem(reader?.value("giterminismConfigVersion") ?? document, "giterminismConfigVersion must be 1");
  }
  const result = rules(reader, loose);
  reader?.close();
  file.throwProblems();
  return result;
}

function rules(root: MapReader | undefined, loose: boolean): Giterminism {
  const open = [root];
  const section = (parent: MapReader | undefined, key: string): MapReader | undefined => {
    const reader = parent?.map(key);
    open.push(reader);
    return reader;
  };
  const globs = (reader: MapReader | undefined, key: string): Matcher =>
    anyOf(reader, key, (glob) => globToRegExp(glob));
  const cli = section(root, "cli");
  const config = section(root, "config");
  const rendering = section(config, "goTemplateRendering");
  const secrets = section(config, "secrets");
  const dockerfile = section(config, "dockerfile");
  const uncommittedConfig = config?.boolean("allowUncommitted") ?? false;
  const result = {
    loose,
    allowsCustomTags: loose || (cli?.boolean("allowCustomTags") ?? false),
    allowsIncludesUpdate: loose || (section(root, "includes")?.boolean("allowIncludesUpdate") ?? false),
    allowsUncommittedConfig: () => loose || uncommittedConfig,
    allowsUncommittedTemplate: globs(config, "allowUncommittedTemplates"),
    allowsUncommittedFile: globs(rendering, "allowUncommittedFiles"),
    allowsUncommittedDockerfile: globs(dockerfile, "allowUncommitted"),
    allowsUncommittedDockerignore: globs(dockerfile, "allowUncommittedDockerignoreFiles"),
    allowsContextAddFile: globs(dockerfile, "allowContextAddFiles"),
    allowsVariable: anyOf(rendering, "allowEnvVariables", nameOrExpression),
    allowsSecretVariable: anyOf(secrets, "allowEnvVariables", nameOrExpression),
    allowsSecretFile: globs(secrets, "allowFiles"),
    allowsSecretValue: anyOf(secrets, "allowValueIds", nameOrExpression),
  };
  checkOthers(root, config, section);
  for (const reader of open.slice(1)) reader?.close();
  return loose ? { ...result, ...everything } : result;
}

const always: Matcher = () => true;
const everything = {
  allowsUncommittedTemplate: always,
  allowsUncommittedFile: always,
  allowsUncommittedDockerfile: always,
  allowsUncommittedDockerignore: always,
  allowsContextAddFile: always,
  allowsVariable: always,
  allowsSecretVariable: always,
  allowsSecretFile: always,
  allowsSecretValue: always,
} satisfies Partial<Giterminism>;

/** Rules about what we don't do; only their form is checked. */
function checkOthers(
  root: MapReader | undefined,
  config: MapReader | undefined,
  section: (parent: MapReader | undefined, key: string) => MapReader | undefined,
): void {
  const stapel = section(config, "stapel");
  stapel?.boolean("allowFromLatest");
  section(stapel, "git")?.boolean("allowBranch");
  const mount = section(stapel, "mount");
  mount?.boolean("allowBuildDir");
  mount?.strings("allowFromPaths");
  section(root, "helm")?.strings("allowUncommittedFiles");
}

function anyOf(reader: MapReader | undefined, key: string, compile: (text: string) => RegExp): Matcher {
  const patterns = (reader?.strings(key) ?? []).flatMap((text) => {
    try {
      return [compile(text)];
    } catch (error) {
      if (!isWerfError(error)) throw error;
      reader?.problemAtValue(key, error.message);
      return [];
    }
  });
  return (text) => patterns.some((pattern) => pattern.test(text));
}

function nameOrExpression(text: string): RegExp {
  if (text.length > 1 && text.startsWith("/") && text.endsWith("/")) return compileRe2(text.slice(1, -1));
  return new RegExp(`^${text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$`, "u");
}
