/**
 * What we write onto the manifest of a stage in addition to its labels, so that one request tells a cleanup
 * what otherwise takes two. Never required: a stage of werf has none.
 */
export const annotations = {
  project: "io.werf.ts/project",
  /** Milliseconds since 1970. */
  created: "io.werf.ts/created",
  parent: "io.werf.ts/parent",
  /** Stage tags, separated by commas. */
  dependencies: "io.werf.ts/dependencies",
  contentDigest: "io.werf.ts/content-digest",
  commit: "io.werf.ts/commit",
} as const;

/** What a stage says about itself. */
export interface StageDescription {
  readonly project: string;
  /** When it was published, in milliseconds since 1970; absent when nothing tells. */
  readonly createdMs?: number;
  /** Stage tags. */
  readonly parent?: string;
  readonly dependencies: readonly string[];
  readonly contentDigest?: string;
  /** The commit it was built from. */
  readonly commit?: string;
}

/** The annotations of a stage (or of the index over its platforms). */
export function formatStageAnnotations(
  stage: StageDescription & { readonly createdMs: number },
): Record<string, string> {
  return {
    [annotations.project]: stage.project,
    [annotations.created]: String(stage.createdMs),
    ...(stage.parent === undefined ? {} : { [annotations.parent]: stage.parent }),
    ...(stage.dependencies.length === 0 ? {} : { [annotations.dependencies]: stage.dependencies.join(",") }),
    ...(stage.contentDigest === undefined ? {} : { [annotations.contentDigest]: stage.contentDigest }),
    ...(stage.commit === undefined ? {} : { [annotations.commit]: stage.commit }),
  };
}

/** The inverse; `undefined` when project or time are missing, so that the labels must be read. */
export function parseStageAnnotations(all: Readonly<Record<string, string>>): StageDescription | undefined {
  const project = all[annotations.project];
  const created = all[annotations.created];
  if (project === undefined || created === undefined || !/^[0-9]{1,15}$/.test(created)) return undefined;
  const parent = all[annotations.parent];
  const contentDigest = all[annotations.contentDigest];
  const commit = all[annotations.commit];
  return {
    project,
    createdMs: Number(created),
    dependencies: (all[annotations.dependencies] ?? "").split(",").filter((tag) => tag !== ""),
    ...(parent === undefined ? {} : { parent }),
    ...(contentDigest === undefined ? {} : { contentDigest }),
    ...(commit === undefined ? {} : { commit }),
  };
}
