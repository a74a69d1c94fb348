import type { ImageSpec, WerfConfig } from "../config/model.js";
import { chosenImages } from "../config/select.js";
import type { RunContext } from "../core/run-context.js";
import { type ProjectSettings, withProject } from "./project.js";

export interface ConfigSettings extends ProjectSettings {
  /** Names and patterns; none: all. */
  readonly images: readonly string[];
}

/** An image and the names of those that must be there before it. */
export interface ImageNode {
  readonly image: string;
  readonly dependencies: readonly string[];
}

/** `werf config render`: the text after its templates; with images, only their documents. */
export async function renderProjectConfig(run: RunContext, settings: ConfigSettings): Promise<string> {
  return withProject(run, settings, async ({ config, rendered }) => {
    if (settings.images.length === 0) return rendered.replace(/\n*$/, "");
    return documentsOf(rendered, chosen(config, settings.images)).join("\n---\n");
  });
}

/** `werf config list`: in the order of the file. */
export async function listConfigImages(
  run: RunContext,
  settings: ProjectSettings & { readonly finalImagesOnly: boolean },
): Promise<readonly string[]> {
  const options = { finalOnly: settings.finalImagesOnly };
  return withProject(run, settings, async ({ config }) =>
    chosenImages(config, [], options).map(({ name }) => name),
  );
}

/** `werf config graph` */
export async function readImageGraph(
  run: RunContext,
  settings: ConfigSettings,
): Promise<readonly ImageNode[]> {
  return withProject(run, settings, async ({ config }) =>
    chosen(config, settings.images).map(({ name, dependencies }) => ({
      image: name,
      dependencies: [...new Set(dependencies.map(({ from }) => from))],
    })),
  );
}

function chosen(config: WerfConfig, patterns: readonly string[]): readonly ImageSpec[] {
  return chosenImages(config, patterns, { finalOnly: false });
}

/** The documents that the images stand in, each once, without the lines that separate them. */
function documentsOf(rendered: string, images: readonly ImageSpec[]): string[] {
  const wanted = new Set(images.map(({ line }) => line));
  const documents: { text: string[]; isWanted: boolean }[] = [{ text: [], isWanted: false }];
  for (const [index, line] of rendered.split("\n").entries()) {
    const isSeparator = /^---(?:\s|$)/.test(line);
    if (isSeparator) documents.push({ text: [], isWanted: false });
    const document = documents.at(-1);
    if (document === undefined) continue;
    document.isWanted ||= wanted.has(index + 1);
    if (!isSeparator) document.text.push(line);
  }
  return documents
    .filter(({ isWanted }) => isWanted)
    .map(({ text }) => text.join("\n").replace(/^\n+|\s+$/g, ""));
}
