import type { Bundle } from "./bundle.js";
import type { FoundImage } from "./bundle-images.js";
import { type ChartArtifact, chartArtifact } from "./bundle-manifest.js";
import { packChart } from "./chart/chart.js";
import { ChartYaml } from "./chart/chart-yaml.js";
import { chartVersion } from "./chart/version.js";
import { parseYaml, type YamlDocument, type YamlRecord } from "./chart/yaml-document.js";
import { chartName, type NamingOptions } from "./chart-name.js";
import { formatImageLock, imageLockPath } from "./image-lock.js";
import { imageValues } from "./values/image-values.js";

export interface RelocationOptions extends NamingOptions {
  /** `host/name` of the new place. */
  readonly repository: string;
  readonly tag: string;
  readonly layerType?: "helm" | "legacy";
}

/**
 * The chart of a bundle for another repository: values and lock name the images there, name and version follow
 * the same rules as at publishing, all other files stay. The same bundle makes the same bytes.
 */
export async function relocatedChart(
  bundle: Bundle,
  images: readonly FoundImage[],
  options: RelocationOptions,
): Promise<ChartArtifact> {
  const { repository, tag } = options;
  const files = new Map(bundle.chart.files);
  const commitSeconds = secondsOf(bundle);
  const chartYaml = new ChartYaml(files.get("Chart.yaml"), `Chart.yaml of ${bundle.address}`);
  const current = chartYaml.name ?? bundle.chartYaml.name ?? "";
  chartYaml.change({
    name: chartName(options, repository, current),
    version: chartVersion(tag, commitSeconds),
  });
  files.set("Chart.yaml", chartYaml.toBytes());
  const values = parseYaml(files.get("values.yaml"), `values.yaml of ${bundle.address}`);
  relocateValues(values, images, repository);
  files.set("values.yaml", values.toBytes());
  files.set(
    imageLockPath,
    formatImageLock(
      images.flatMap(({ name, tag, digest }) =>
        tag === undefined ? [] : [{ name, repository, tag, digest }],
      ),
    ),
  );
  const metadata = chartYaml.metadata();
  const revision = bundle.values.get(["werf", "commit", "hash"]);
  return chartArtifact({
    metadata,
    archive: await packChart(metadata.name, { files, mtime: commitSeconds }),
    created: new Date(commitSeconds * 1000),
    ...(typeof revision === "string" ? { revision } : {}),
    ...(options.layerType === undefined ? {} : { layerType: options.layerType }),
  });
}

/** When the bundle's commit was made; for bundles that don't say, when its chart was packed. */
function secondsOf(bundle: Bundle): number {
  const unix = bundle.values.get(["werf", "commit", "date", "unix"]);
  return typeof unix === "string" && /^[0-9]{1,11}$/.test(unix) ? Number(unix) : bundle.chart.mtime;
}

/** Only what the values have is changed: a bundle without `global.werf` doesn't get one. */
function relocateValues(values: YamlDocument, images: readonly FoundImage[], repository: string): void {
  const has = (...path: string[]): boolean => values.get(path) !== undefined;
  const entries = (
    path: readonly string[],
    value: (image: FoundImage) => YamlRecord | string | undefined,
  ): YamlRecord => {
    const found = images.flatMap((image) => {
      const made = has(...path, image.name) ? value(image) : undefined;
      return made === undefined ? [] : [[image.name, made] as const];
    });
    return Object.fromEntries(found);
  };
  const address = ({ tag, digest }: FoundImage): string =>
    tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`;
  if (has("werf")) {
    const nameless = has("werf", "nameless_image") ? images.find((image) => image.name === "") : undefined;
    values.merge({
      werf: {
        repo: repository,
        ...(nameless === undefined ? {} : { nameless_image: address(nameless) }),
        ...(has("werf", "image") ? { image: entries(["werf", "image"], address) } : {}),
      },
    });
  }
  if (!has("global", "werf")) return;
  const images14 = entries(["global", "werf", "images"], ({ tag, digest }) =>
    tag === undefined ? undefined : imageValues({ repository, tag, digest }),
  );
  values.merge({
    global: {
      werf: { repo: repository, ...(has("global", "werf", "images") ? { images: images14 } : {}) },
    },
  });
}
