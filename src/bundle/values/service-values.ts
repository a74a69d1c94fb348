import type { Commit } from "../../git/repository.js";
import type { PublishedImage } from "../../records/published-image.js";
import type { YamlRecord } from "../chart/yaml-document.js";
import { imageValues } from "./image-values.js";

export interface ServiceValuesInput {
  readonly project: string;
  readonly env?: string;
  /** `host/name` of the final repository, or of the only one. */
  readonly repository: string;
  readonly werfVersion: string;
  readonly commit: Commit;
  readonly images: readonly PublishedImage[];
}

/** The values that werf adds to a chart's own: `werf`, `global.werf` and `global.env`. */
export function serviceValues(input: ServiceValuesInput): YamlRecord {
  const { project, env, repository, werfVersion, commit, images } = input;
  const seconds = Math.floor(commit.committedAt.getTime() / 1000);
  const common: YamlRecord = {
    name: project,
    version: werfVersion,
    repo: repository,
    ...(env === undefined || env === "" ? {} : { env }),
    commit: { hash: commit.hash, date: { human: goTime(commit.committedAt), unix: seconds } },
  };
  const named = images.filter((image) => image.name !== "");
  const nameless = images.find((image) => image.name === "");
  const entries = <T>(value: (image: PublishedImage) => T): Record<string, T> =>
    Object.fromEntries(named.map((image) => [image.name, value(image)]));
  return {
    werf: {
      ...common,
      ...(nameless === undefined
        ? {}
        : { is_nameless_image: true, nameless_image: `${nameless.repository}:${nameless.tag}` }),
      image: entries((image) => `${image.repository}:${image.tag}`),
      tag: entries((image) => image.tag),
    },
    global: {
      ...(env === undefined || env === "" ? {} : { env }),
      werf: { ...common, images: entries(imageValues) },
    },
  };
}

/** As Go prints a time in UTC. */
function goTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}
