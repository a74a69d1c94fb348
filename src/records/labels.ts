/** Labels of stages and records, byte for byte those of werf: spec of the records, "Labels on stage images". */
export const labels = {
  project: "werf",
  version: "werf-version",
  contentDigest: "werf-stage-content-digest",
  commit: "werf-project-repo-commit",
  parentStage: "werf.io/parent-stage-id",
  /** Followed by the SHA-256 of the stage's tag. */
  dependencyPrefix: "werf-dependency-stage-id-",
  /** Followed by a name that Stapel gives. */
  importPrefix: "werf-import-source-stage-id-",
  customTagStage: "stage-id",
  customTagName: "tag",
  lastCleanup: "lastcleanuptimestamp",
  metaRepoAddress: "metarepoaddress",
} as const;

/** Values of this kind name images outside the repository. */
const externalImage = "external-image";

type Labels = Readonly<Record<string, string>>;

/** The values of all labels that begin with `prefix`, without those that name external images. */
export function stagesUnder(all: Labels, prefix: string): string[] {
  return Object.entries(all)
    .filter(([name, value]) => name.startsWith(prefix) && !value.startsWith(externalImage))
    .map(([, value]) => value);
}
