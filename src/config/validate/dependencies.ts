import { didYouMean } from "../../core/suggest.js";
import type { ImageDependency, ImportType } from "../model.js";
import type { MapReader } from "./map-reader.js";

const importTypes: readonly ImportType[] = ["ImageName", "ImageRepo", "ImageTag", "ImageDigest", "ImageID"];
const argumentName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `dependencies` of a Dockerfile image: images to build first, whose names become build arguments. */
export function readDependencies(
  image: MapReader,
  args: Readonly<Record<string, string>>,
): readonly ImageDependency[] {
  const taken = new Map<string, string>(Object.keys(args).map((name) => [name, '"args"']));
  return image.maps("dependencies").flatMap((reader) => {
    const from = readSource(reader);
    const imports = reader.maps("imports").flatMap((entry) => readImport(entry, taken));
    reader.close();
    return from === undefined ? [] : [{ from, imports }];
  });
}

/** The name of the image that a dependency is on. `image` is the older name of `from`. */
export function readSource(reader: MapReader): string | undefined {
  const from = reader.string("from");
  const image = reader.string("image");
  if (from !== undefined && image !== undefined) {
    reader.problem("image", `${reader.title} has both "from" and "image", which mean the same; keep "from"`);
  }
  if (!reader.has("from") && !reader.has("image")) {
    reader.problem(undefined, `${reader.title} needs "from", the name of an image`);
  }
  return from ?? image;
}

function readImport(reader: MapReader, taken: Map<string, string>): ImageDependency["imports"] {
  const type = readImportType(reader);
  const name = reader.string("targetBuildArg");
  if (reader.has("targetEnv")) {
    reader.problem("targetEnv", '"targetEnv" belongs to Stapel images; a Dockerfile takes "targetBuildArg"');
  }
  reader.close();
  if (name === undefined) {
    if (!reader.has("targetBuildArg")) reader.problem(undefined, `${reader.title} needs "targetBuildArg"`);
    return [];
  }
  if (!argumentName.test(name)) {
    reader.problemAtValue("targetBuildArg", `"${name}" is no name of a build argument`);
  }
  const owner = taken.get(name);
  if (owner !== undefined) {
    reader.problemAtValue("targetBuildArg", `the build argument "${name}" is already set by ${owner}`);
  }
  taken.set(name, reader.title);
  return type === undefined ? [] : [{ type, targetBuildArg: name }];
}

export function readImportType(reader: MapReader): ImportType | undefined {
  const type = reader.string("type");
  const known = importTypes.find((candidate) => candidate === type);
  if (type === undefined) {
    if (!reader.has("type")) reader.problem(undefined, `${reader.title} needs "type"`);
  } else if (known === undefined) {
    const guess = didYouMean(type, importTypes);
    reader.problemAtValue("type", `"${type}" is not one of ${importTypes.join(", ")}${guess}`);
  }
  return known;
}
