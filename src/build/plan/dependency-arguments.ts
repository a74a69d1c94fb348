import type { DockerfileImage, ImportType } from "../../config/model.js";
import type { PublishedImage } from "../../records/published-image.js";

/**
 * Build args that an image's `dependencies` import, from the images as they were published. Names that `args`
 * sets as well were refused when werf.yaml was read.
 */
export function dependencyArguments(
  image: DockerfileImage,
  published: ReadonlyMap<string, PublishedImage>,
): Readonly<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const dependency of image.dependencies) {
    const source = published.get(dependency.from);
    if (source === undefined) continue;
    for (const { type, targetBuildArg } of dependency.imports)
      result[targetBuildArg] = imported(type, source);
  }
  return result;
}

function imported(type: ImportType, image: PublishedImage): string {
  switch (type) {
    case "ImageName":
      return `${image.repository}:${image.tag}`;
    case "ImageRepo":
      return image.repository;
    case "ImageTag":
      return image.tag;
    case "ImageDigest":
    case "ImageID":
      return image.digest;
  }
}
