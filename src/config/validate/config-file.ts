import { nearest } from "../../core/suggest.js";
import type { WerfConfig } from "../model.js";
import { type ReadImage, validateImage } from "./image.js";
import { linkImages, refuseCycles } from "./links.js";
import { MapReader } from "./map-reader.js";
import { emptyProject, type ProjectPart, validateProject } from "./project.js";
import { YamlFile } from "./yaml-file.js";

export interface ValidateOptions {
  /** `WERF_PROJECT_NAME`, which takes the place of `project`. */
  readonly projectName?: string | undefined;
  /** Told above the problems when positions are not those of the file in git. */
  readonly note?: string;
}

/**
 * Checks a rendered werf.yaml and tells all of its problems at once, with their positions.
 * @throws WerfError `config/invalid`, `config/cycle`
 */
export function validateConfig(name: string, text: string, options: ValidateOptions = {}): WerfConfig {
  const file = new YamlFile(name, text, options.note);
  if (file.broken) file.throwProblems();
  const documents = file.documents.map((node) => new MapReader(file, node, "werf.yaml"));
  const project = findProject(file, documents, options.projectName);
  const images = documents.flatMap((document) => readImages(document, project));
  const linked = linkImages(images);
  file.throwProblems();
  refuseCycles(name, linked);
  const { stagedLine: _staged, imageSpecLine: _spec, ...config } = project;
  return { ...config, images: linked };
}

function findProject(
  file: YamlFile,
  documents: readonly MapReader[],
  override: string | undefined,
): ProjectPart {
  const [first, ...more] = documents.filter((document) => document.mentions("configVersion"));
  for (const { node } of more) {
    file.problem(node, `configVersion is there twice; the first is in line ${file.lineOf(first?.node)}`);
  }
  if (first !== undefined) {
    const reader = new MapReader(file, first.node, "the project's document");
    if (reader.has("image")) {
      reader.problem("image", "an image needs a document of its own, after a line with ---");
    }
    return validateProject(reader, override);
  }
  const none = "no document has configVersion; begin the file with configVersion: 1 and project: NAME";
  if (documents.every((document) => document.mentions("image")) && file.sound) file.problem(0, none);
  return emptyProject();
}

function readImages(document: MapReader, project: ProjectPart): ReadImage[] {
  if (document.mentions("configVersion")) return [];
  if (document.mentions("image")) return validateImage(document, project);
  const reader = new MapReader(document.file, document.node, "a document");
  const guesses = reader.keys().map((key) => [key, nearest(key, ["image", "configVersion"])] as const);
  const typo = guesses.find(([, guess]) => guess !== undefined);
  if (typo !== undefined) reader.problem(typo[0], `unknown key "${typo[0]}"; did you mean "${typo[1]}"?`);
  else reader.problem(undefined, 'a document needs "image" (an image) or "configVersion" (the project)');
  return [];
}
