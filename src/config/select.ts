import { WerfError } from "../core/errors.js";
import { globToRegExp, isGlob } from "../core/glob.js";
import { didYouMean } from "../core/suggest.js";
import type { ImageSpec, WerfConfig } from "./model.js";

type WithImages = Pick<WerfConfig, "images">;

/**
 * The images that `patterns` choose, and all that they depend on, dependencies before dependents. A pattern is a
 * name or a glob; one with `!` takes images away again. No pattern that adds: all images. `finalOnly` leaves out
 * images that are not final, unless they are named or depended on.
 * @throws WerfError `config/no-such-image` when a pattern matches nothing
 */
export function selectImages(
  config: WithImages,
  patterns: readonly string[],
  options: { readonly finalOnly: boolean },
): readonly ImageSpec[] {
  return withDependencies(config, chosenImages(config, patterns, options));
}

/** The same without what they depend on, in the order of the file. */
export function chosenImages(
  config: WithImages,
  patterns: readonly string[],
  options: { readonly finalOnly: boolean },
): readonly ImageSpec[] {
  const added = patterns.filter((pattern) => !pattern.startsWith("!"));
  const removed = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  const without = new Set(removed.flatMap((pattern) => matching(config, pattern)));
  const named = new Set(added.filter((pattern) => !isGlob(pattern)));
  const chosen = new Set(
    added.length === 0 ? config.images : added.flatMap((pattern) => matching(config, pattern)),
  );
  return config.images.filter((image) => {
    return (
      chosen.has(image) && !without.has(image) && (image.final || !options.finalOnly || named.has(image.name))
    );
  });
}

function matching(config: WithImages, pattern: string): ImageSpec[] {
  const expression = isGlob(pattern) ? globToRegExp(pattern) : undefined;
  const found = config.images.filter(({ name }) => expression?.test(name) ?? name === pattern);
  if (found.length > 0) return found;
  const names = config.images.map(({ name }) => name);
  const guess = expression === undefined ? didYouMean(pattern, names) : "";
  throw new WerfError("config/no-such-image", `no image of werf.yaml is called "${pattern}"${guess}`, {
    hint: names.length === 0 ? "werf.yaml has no images" : `there are: ${names.join(", ")}`,
    exitCode: 2,
  });
}

/** Depth first, so every image comes after those it needs; otherwise in the order given. */
function withDependencies(config: WithImages, images: readonly ImageSpec[]): ImageSpec[] {
  const byName = new Map(config.images.map((image) => [image.name, image]));
  const result = new Set<ImageSpec>();
  // `true`: what the image needs has been taken.
  const left = images.map((image): [ImageSpec, boolean] => [image, false]).reverse();
  for (let entry = left.pop(); entry !== undefined; entry = left.pop()) {
    const [image, ready] = entry;
    if (ready) result.add(image);
    if (ready || result.has(image)) continue;
    left.push([image, true]);
    for (const { from } of image.dependencies.toReversed()) {
      const needed = byName.get(from);
      if (needed !== undefined && !result.has(needed)) left.push([needed, false]);
    }
  }
  return [...result];
}

/**
 * Images in groups: those of a group depend only on earlier groups (dependencies that aren't among `images`
 * don't count), so a group's images can be built at the same time.
 */
export function dependencyLevels(images: readonly ImageSpec[]): readonly (readonly ImageSpec[])[] {
  const here = new Map(images.map((image) => [image.name, image]));
  const levels: ImageSpec[][] = [];
  const levelOf = new Map<string, number>();
  for (const image of withDependencies({ images }, [...here.values()])) {
    const below = image.dependencies.flatMap(({ from }) => levelOf.get(from) ?? []);
    const level = Math.max(-1, ...below) + 1;
    levelOf.set(image.name, level);
    levels[level] = [...(levels[level] ?? []), image];
  }
  return levels;
}
