import { posix } from "node:path";
import type { DockerfileImage, ImageSpec } from "../model.js";
import { readDependencies } from "./dependencies.js";
import { validateImageSpec } from "./image-spec.js";
import { MapReader } from "./map-reader.js";
import type { ProjectPart } from "./project.js";
import { checkSecrets, readCommon } from "./shared-keys.js";
import { readStapel, stapelOnlyKeys } from "./stapel.js";

const imageName =
  /^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?(?:\/[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)*$/;

/** An image as it was read, with its document for messages of the checks between images. */
export interface ReadImage {
  readonly spec: ImageSpec;
  readonly reader: MapReader;
}

/** A document with `image`; a list of names gives as many images. */
export function validateImage(document: MapReader, project: ProjectPart): ReadImage[] {
  const names = readNames(document);
  const title = names.length === 0 ? "an image" : `image ${names.map((name) => `"${name}"`).join(", ")}`;
  const reader = new MapReader(document.file, document.node, title);
  reader.value("image");
  const line = document.lineOf("image");
  const spec = reader.mentions("dockerfile")
    ? readDockerfileImage(reader, project)
    : readStapel(reader, project);
  return names.map((name) => ({ spec: { ...spec, name, line }, reader }));
}

function readNames(document: MapReader): string[] {
  if (!document.has("image")) {
    document.problem(
      "image",
      "an image needs a name: images without one (image: ~) are a thing of werf 2 and older",
    );
    return [];
  }
  const names = document.strings("image", "single") ?? [];
  if (names.length === 0) document.problemAtValue("image", "image must name at least one image");
  for (const name of names) {
    if (name === "scratch")
      document.problemAtValue("image", '"scratch" is reserved for the empty base image');
    else if (!imageName.test(name)) {
      document.problemAtValue(
        "image",
        `"${name}" is no name of an image: segments of letters, digits, "_", "." and "-" that begin and end ` +
          'with a letter or digit, joined by "/"',
      );
    }
  }
  return names;
}

function readDockerfileImage(
  reader: MapReader,
  project: ProjectPart,
): Omit<DockerfileImage, "name" | "line"> {
  const context = readDirectory(reader, "context");
  const dockerfile = readDockerfilePath(reader, context);
  const target = reader.string("target");
  const args = reader.scalars("args") ?? {};
  const common = readCommon(reader, project);
  const spec = {
    kind: "dockerfile" as const,
    ...common,
    dependencies: readDependencies(reader, args),
    dockerfile,
    context,
    args,
    unsupported: readUnsupported(reader, project, common.final),
    ...(target === undefined ? {} : { target }),
  };
  for (const key of stapelOnlyKeys) {
    if (!reader.mentions(key)) continue;
    reader.value(key);
    reader.problem(key, `"${key}" belongs to Stapel images, and this one has a dockerfile`);
  }
  reader.close();
  return spec;
}

function readDirectory(reader: MapReader, key: string): string {
  const written = reader.string(key);
  if (written === undefined || written === "") return "";
  const path = posix.normalize(written).replace(/\/$/, "");
  if (isOutside(path)) {
    reader.problemAtValue(key, `${key} must be a path within the project directory, not ${written}`);
    return "";
  }
  return path === "." ? "" : path;
}

function readDockerfilePath(reader: MapReader, context: string): string {
  const written = reader.string("dockerfile");
  if (written === undefined || written === "") {
    reader.problem("dockerfile", "dockerfile must be the path of a Dockerfile");
    return "";
  }
  if (written.startsWith("/") || isOutside(posix.join(context, written))) {
    reader.problemAtValue(
      "dockerfile",
      `dockerfile must be a path within the project directory, not ${written}`,
    );
  }
  return posix.normalize(written);
}

function isOutside(path: string): boolean {
  return path.startsWith("/") || path === ".." || path.startsWith("../");
}

/** Checks the keys that no engine carries out yet, and says where they stand. */
function readUnsupported(
  reader: MapReader,
  project: ProjectPart,
  final: boolean,
): DockerfileImage["unsupported"] {
  reader.strings("addHost", "single");
  reader.string("network");
  reader.string("ssh");
  reader.strings("contextAddFiles", "single");
  reader.strings("contextAddFile", "single");
  checkSecrets(reader);
  const imageSpec = reader.map("imageSpec");
  if (imageSpec !== undefined) validateImageSpec(imageSpec, "image");
  const staged = reader.boolean("staged");
  const keys = ["addHost", "network", "ssh", "contextAddFiles", "contextAddFile", "secrets", "imageSpec"];
  const found = keys.filter((key) => reader.has(key)).map((key) => ({ key, line: reader.lineOf(key) }));
  if (staged === true) found.push({ key: "staged", line: reader.lineOf("staged") });
  if (staged === undefined && project.stagedLine !== undefined) {
    found.push({ key: "build.staged", line: project.stagedLine });
  }
  if (final && project.imageSpecLine !== undefined) {
    found.push({ key: "build.imageSpec", line: project.imageSpecLine });
  }
  return found;
}
