import type { ImageDependency, StapelImage } from "../model.js";
import { readImportType, readSource } from "./dependencies.js";
import { validateImageSpec } from "./image-spec.js";
import type { MapReader } from "./map-reader.js";
import type { ProjectPart } from "./project.js";
import { checkSecrets, readCommon } from "./shared-keys.js";

/** Keys that only Stapel images have. Their insides are the business of the tool that builds them. */
export const stapelOnlyKeys: readonly string[] = [
  "from",
  "fromImage",
  "fromExternal",
  "fromLatest",
  "fromCacheVersion",
  "disableGitAfterPatch",
  "git",
  "shell",
  "ansible",
  "docker",
  "mount",
  "import",
];
const dockerfileOnlyKeys = ["dockerfile", "context", "target", "args", "addHost", "ssh", "contextAddFiles"];

/** An image without `dockerfile`. Only what other images and cleanup need to know of it is read. */
export function readStapel(reader: MapReader, project: ProjectPart): Omit<StapelImage, "name" | "line"> {
  for (const key of stapelOnlyKeys) reader.value(key);
  reader.string("network");
  checkSecrets(reader);
  const imageSpec = reader.map("imageSpec");
  if (imageSpec !== undefined) validateImageSpec(imageSpec, "image");
  const sources = [
    ...[reader.string("fromImage")].flatMap((from) => from ?? []),
    ...reader.maps("dependencies").flatMap((dependency) => readStapelDependency(dependency) ?? []),
  ];
  const common = readCommon(reader, project);
  const hasBase = ["from", "fromImage", "fromExternal"].some((key) => reader.has(key));
  if (reader.close(dockerfileOnlyKeys) && !hasBase) {
    reader.problem(undefined, `${reader.title} needs "dockerfile", or "from" for a Stapel image`);
  }
  return { kind: "stapel", ...common, dependencies: unique(sources) };
}

/** Images that are named where another repository's image could stand as well: a dependency if there is one. */
export function possibleSources(reader: MapReader): string[] {
  const imports = reader.maps("import").map((entry) => entry.string("from") ?? entry.string("image"));
  return [reader.string("from"), ...imports].flatMap((name) => name ?? []);
}

function readStapelDependency(reader: MapReader): string | undefined {
  const from = readSource(reader);
  reader.string("before");
  reader.string("after");
  for (const entry of reader.maps("imports")) {
    readImportType(entry);
    entry.string("targetEnv");
    entry.close(["targetBuildArg"]);
  }
  reader.close();
  return from;
}

function unique(names: readonly string[]): ImageDependency[] {
  return [...new Set(names)].map((from) => ({ from, imports: [] }));
}
