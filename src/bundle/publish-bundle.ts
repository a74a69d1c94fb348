import type { RunContext } from "../core/run-context.js";
import type { Digest } from "../oci/digest.js";
import type { Store } from "../oci/store.js";
import type { PublishedImage } from "../records/published-image.js";
import { chartArtifact, writeArtifactBlobs } from "./bundle-manifest.js";
import { packChart } from "./chart/chart.js";
import { ChartYaml } from "./chart/chart-yaml.js";
import { type GitChartSource, readGitChart } from "./chart/git-chart.js";
import { bundleTag, chartVersion } from "./chart/version.js";
import { parseYaml, type YamlRecord } from "./chart/yaml-document.js";
import { chartName, type NamingOptions } from "./chart-name.js";
import { formatImageLock, imageLockPath } from "./image-lock.js";
import { serviceValues } from "./values/service-values.js";

export interface PublishBundleInput extends NamingOptions {
  /** The final repository when there is one. */
  readonly store: Store;
  /** `host/name` of the repository as clusters pull from it; default: the store's address. */
  readonly repository?: string;
  readonly tag: string;
  readonly project: string;
  readonly env?: string;
  readonly chart: GitChartSource;
  /** Those that belong to the bundle: already published. */
  readonly images: readonly PublishedImage[];
  readonly werfVersion: string;
  /** deploy.helmChartConfig.appVersion of werf.yaml. */
  readonly appVersion?: string;
  /** The user's, later ones win over earlier ones, and all over the chart's. */
  readonly values?: readonly YamlRecord[];
  /** False: the chart's own values.yaml is left out. Default true. */
  readonly defaultValues?: boolean;
  /** For resources, kept in the bundle: `--add-annotation`, `--add-label`. */
  readonly extraAnnotations?: Readonly<Record<string, string>>;
  readonly extraLabels?: Readonly<Record<string, string>>;
  readonly layerType?: "helm" | "legacy";
}

export interface PublishedBundle {
  /** `host/name:tag`. */
  readonly reference: string;
  readonly digest: Digest;
  readonly tag: string;
  readonly chartName: string;
  readonly chartVersion: string;
  /** `current`: the tag had these bytes already. */
  readonly result: "published" | "current";
}

/**
 * Publishes the chart of a commit with the addresses and digests of its images as an artifact that Helm reads.
 * The same commit, images and options make the same bytes.
 * @throws WerfError `bundle/*`, and what git and the store throw
 */
export async function publishBundle(
  run: Pick<RunContext, "emit">,
  input: PublishBundleInput,
): Promise<PublishedBundle> {
  const { store, chart } = input;
  const tag = bundleTag(input.tag);
  const committed = Math.floor(chart.commit.committedAt.getTime() / 1000);
  const files = await readGitChart(chart);
  const chartYaml = prepareChartYaml(input, files, chartVersion(tag, committed));
  addFiles(input, files, chartYaml);
  const metadata = chartYaml.metadata();
  const archive = await packChart(metadata.name, { files, mtime: committed });
  const artifact = chartArtifact({
    metadata,
    archive,
    created: chart.commit.committedAt,
    revision: chart.commit.hash,
    ...(input.layerType === undefined ? {} : { layerType: input.layerType }),
  });
  const there = await store.statManifest(tag);
  const isCurrent = there.kind === "present" && there.descriptor.digest === artifact.manifest.digest;
  if (!isCurrent) {
    await writeArtifactBlobs(store, artifact);
    await store.writeManifest(artifact.manifest, tag);
  }
  const reference = `${store.address}:${tag}`;
  const message = `bundle ${reference} ${isCurrent ? "is there already" : "published"}`;
  run.emit({ code: "note", level: "info", message });
  return {
    reference,
    digest: artifact.manifest.digest,
    tag,
    chartName: metadata.name,
    chartVersion: metadata.version,
    result: isCurrent ? "current" : "published",
  };
}

function prepareChartYaml(
  input: PublishBundleInput,
  files: ReadonlyMap<string, Uint8Array>,
  version: string,
): ChartYaml {
  const chartYaml = new ChartYaml(files.get("Chart.yaml"), `${input.chart.directory}/Chart.yaml`);
  chartYaml.change({
    name: chartName(input, repositoryOf(input), chartYaml.name ?? input.project),
    version,
    ...(input.appVersion === undefined ? {} : { appVersion: input.appVersion }),
    annotations: serviceAnnotations(input),
  });
  return chartYaml;
}

function addFiles(input: PublishBundleInput, files: Map<string, Uint8Array>, chartYaml: ChartYaml): void {
  files.set("Chart.yaml", chartYaml.toBytes());
  files.set("values.yaml", mergedValues(input, files.get("values.yaml")));
  files.set("extra_annotations.json", jsonFile({ ...serviceAnnotations(input), ...input.extraAnnotations }));
  if (Object.keys(input.extraLabels ?? {}).length > 0) {
    files.set("extra_labels.json", jsonFile(input.extraLabels ?? {}));
  }
  files.set(imageLockPath, formatImageLock(input.images));
}

function mergedValues(input: PublishBundleInput, own: Uint8Array | undefined): Uint8Array {
  const source = `${input.chart.directory}/values.yaml`;
  const values = parseYaml(input.defaultValues === false ? undefined : own, source);
  for (const layer of input.values ?? []) values.merge(layer);
  // What an earlier bundle or a chart's author left there must not look like images of this one.
  for (const path of [
    ["werf", "image"],
    ["werf", "tag"],
    ["global", "werf", "images"],
  ])
    values.remove(path);
  const { project, env, werfVersion, images, chart } = input;
  values.merge(
    serviceValues({
      project,
      werfVersion,
      images,
      repository: repositoryOf(input),
      commit: chart.commit,
      ...(env === undefined ? {} : { env }),
    }),
  );
  return values.toBytes();
}

function repositoryOf(input: PublishBundleInput): string {
  return input.repository ?? input.store.address;
}

function serviceAnnotations({ project, env }: PublishBundleInput): Record<string, string> {
  return { "project.werf.io/name": project, "project.werf.io/env": env ?? "" };
}

function jsonFile(value: object): Uint8Array {
  const sorted = Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return Buffer.from(`${JSON.stringify(sorted)}\n`);
}
