import { WerfError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { ImageDependency, ImageSpec } from "../model.js";
import type { ReadImage } from "./image.js";
import type { MapReader } from "./map-reader.js";
import { possibleSources } from "./stapel.js";

/** What can be seen only between images: names that are there twice, dependencies on images that aren't there. */
export function linkImages(images: readonly ReadImage[]): ImageSpec[] {
  const byName = new Map<string, ImageSpec>();
  for (const { spec, reader } of images) {
    const other = byName.get(spec.name);
    if (other === undefined) byName.set(spec.name, spec);
    else reader.problemAtValue("image", `the image "${spec.name}" is already there, in line ${other.line}`);
  }
  return images.map(({ spec, reader }) => {
    for (const { from } of spec.dependencies) {
      if (byName.has(from)) continue;
      const guess = didYouMean(from, byName.keys());
      const message = `${reader.title} depends on the image "${from}", which is not there${guess}`;
      const entry = reader.maps("dependencies").find((dependency) => sourceOf(dependency) === from);
      if (entry === undefined) reader.problemAtValue("fromImage", message);
      else entry.problemAtValue(entry.has("from") ? "from" : "image", message);
    }
    return spec.kind === "stapel" ? { ...spec, dependencies: withKnown(reader, spec, byName) } : spec;
  });
}

function sourceOf(dependency: MapReader): string | undefined {
  return dependency.string("from") ?? dependency.string("image");
}

function withKnown(
  reader: MapReader,
  spec: ImageSpec,
  byName: ReadonlyMap<string, ImageSpec>,
): readonly ImageDependency[] {
  const has = new Set(spec.dependencies.map(({ from }) => from));
  const more = new Set(possibleSources(reader).filter((name) => byName.has(name) && !has.has(name)));
  return [...spec.dependencies, ...[...more].map((from) => ({ from, imports: [] }))];
}

/** @throws WerfError `config/cycle` that names the images in a circle */
export function refuseCycles(file: string, images: readonly ImageSpec[]): void {
  const byName = new Map(images.map((image) => [image.name, image]));
  const done = new Set<string>();
  for (const start of images) {
    const path: string[] = [];
    // Each step: the image to look at, or "leave" when all below the last one has been seen.
    const left: (string | undefined)[] = [start.name];
    while (left.length > 0) {
      const name = left.pop();
      if (name === undefined) done.add(path.pop() ?? "");
      else if (path.includes(name)) throw cycle(file, [...path.slice(path.indexOf(name)), name], byName);
      else if (!done.has(name)) {
        path.push(name);
        left.push(undefined, ...(byName.get(name)?.dependencies ?? []).map(({ from }) => from));
      }
    }
  }
}

function cycle(file: string, names: readonly string[], byName: ReadonlyMap<string, ImageSpec>): WerfError {
  const line = byName.get(names[0] ?? "")?.line ?? 1;
  return new WerfError(
    "config/cycle",
    `${file}:${line}: images depend on each other: ${names.join(" -> ")}`,
    {
      hint: "remove one of these dependencies",
    },
  );
}
