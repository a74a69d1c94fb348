import { YAMLMap } from "yaml";
import type { DeployConfig, WerfConfig } from "../model.js";
import { validateCleanup } from "./cleanup.js";
import { validateImageSpec } from "./image-spec.js";
import { MapReader } from "./map-reader.js";
import { readPlatforms } from "./shared-keys.js";
import { YamlFile } from "./yaml-file.js";

const projectName = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const maxProjectName = 50;

/** The document with `configVersion`, and where its keys stand that concern every image. */
export interface ProjectPart extends Omit<WerfConfig, "images"> {
  /** Lines of keys of `build` that no engine carries out, when they are on. */
  readonly stagedLine?: number;
  readonly imageSpecLine?: number;
}

/** @param override the value of `WERF_PROJECT_NAME` */
export function validateProject(reader: MapReader, override: string | undefined): ProjectPart {
  const version = reader.integer("configVersion");
  if (version !== undefined && version !== 1) {
    reader.problemAtValue("configVersion", `configVersion must be 1, not ${version}`);
  }
  const part: ProjectPart = {
    project: readName(reader, override),
    configVersion: 1,
    ...readBuild(reader),
    cleanup: validateCleanup(reader.map("cleanup")),
    deploy: readDeploy(reader.map("deploy")),
    gitWorktree: readGitWorktree(reader.map("gitWorktree")),
  };
  reader.close();
  return part;
}

/** A project that says nothing, to go on with when the document is missing. */
export function emptyProject(): ProjectPart {
  return validateProject(new MapReader(new YamlFile("", ""), new YAMLMap(), ""), undefined);
}

function readName(reader: MapReader, override: string | undefined): string {
  const written = reader.string("project");
  const name = override === undefined || override === "" ? written : override;
  if (name === undefined) {
    if (!reader.has("project"))
      reader.problem(undefined, 'the key "project" is missing: the name of the project');
  } else if (!projectName.test(name) || name.length > maxProjectName) {
    const origin = name === override ? " (from WERF_PROJECT_NAME)" : "";
    reader.problemAtValue(
      "project",
      `"${name}" is no name of a project${origin}: at most ${maxProjectName} of a-z, 0-9 and -, ` +
        "with a letter or digit at both ends",
    );
  }
  return name ?? "";
}

function readBuild(reader: MapReader): Pick<ProjectPart, "build" | "stagedLine" | "imageSpecLine"> {
  const build = reader.map("build");
  if (build === undefined) return { build: { platform: [], staged: false } };
  const cacheVersion = build.string("cacheVersion");
  const staged = build.boolean("staged") ?? false;
  const imageSpec = build.map("imageSpec");
  if (imageSpec !== undefined) validateImageSpec(imageSpec, "global");
  const result = {
    build: {
      platform: readPlatforms(build),
      staged,
      ...(cacheVersion === undefined ? {} : { cacheVersion }),
    },
    ...(staged ? { stagedLine: build.lineOf("staged") } : {}),
    ...(imageSpec === undefined ? {} : { imageSpecLine: build.lineOf("imageSpec") }),
  };
  build.close();
  return result;
}

const defaultRelease = "[[ project ]]-[[ env ]]";

function readDeploy(deploy: MapReader | undefined): DeployConfig {
  const chart = deploy?.map("helmChartConfig");
  const appVersion = chart?.string("appVersion");
  const result: DeployConfig = {
    helmChartDir: deploy?.string("helmChartDir") ?? ".helm",
    helmRelease: deploy?.string("helmRelease") ?? defaultRelease,
    namespace: deploy?.string("namespace") ?? defaultRelease,
    helmReleaseSlug: deploy?.boolean("helmReleaseSlug") ?? true,
    namespaceSlug: deploy?.boolean("namespaceSlug") ?? true,
    ...(appVersion === undefined ? {} : { appVersion }),
  };
  chart?.close();
  deploy?.close();
  return result;
}

function readGitWorktree(reader: MapReader | undefined): WerfConfig["gitWorktree"] {
  const result = {
    forceShallowClone: reader?.boolean("forceShallowClone") ?? false,
    allowUnshallow: reader?.boolean("allowUnshallow") ?? true,
    allowFetchOriginBranchesAndTags: reader?.boolean("allowFetchOriginBranchesAndTags") ?? true,
  };
  reader?.close();
  return result;
}
