import { messageOf, WerfError } from "../core/errors.js";
import type { Descriptor } from "../oci/descriptor.js";
import { type Digest, isDigest } from "../oci/digest.js";
import { type Manifest, parseManifest, type RawManifest } from "../oci/manifest.js";
import { mediaTypes } from "../oci/media-types.js";
import type { BlobReader, ManifestReader } from "../oci/store.js";
import { type Chart, maxChartBytes, unpackChart } from "./chart/chart.js";
import { ChartYaml } from "./chart/chart-yaml.js";
import { parseYaml, type YamlDocument } from "./chart/yaml-document.js";

/** What a bundle is read from. */
export type BundleStore = ManifestReader & BlobReader & { readonly address: string };

/** A chart in a registry, with the values that say which images it needs. */
export interface Bundle {
  /** Of the bundle itself, for messages: `registry.example/app:1.0.0`. */
  readonly address: string;
  readonly digest: Digest;
  readonly manifest: RawManifest;
  readonly chart: Chart;
  readonly chartYaml: ChartYaml;
  readonly values: YamlDocument;
}

/** Whether a manifest is that of a chart. */
export function isBundleManifest(manifest: Manifest): boolean {
  return manifest.kind === "image" && manifest.config.mediaType === mediaTypes.helmConfig;
}

/**
 * Reads a bundle by tag or digest: manifest, chart and values; both layer types, with or without provenance.
 * @throws WerfError `bundle/missing`, `bundle/not-a-bundle`, `bundle/chart-invalid`, `bundle/yaml-invalid`
 */
export async function readBundle(store: BundleStore, reference: string): Promise<Bundle> {
  const address = `${store.address}${isDigest(reference) ? "@" : ":"}${reference}`;
  const read = await store.readManifest(reference);
  if (read.kind === "missing") {
    throw new WerfError("bundle/missing", `the bundle ${address} does not exist`, {
      hint: "publish it with `werf bundle publish`, or check the tag and your permission to read it",
    });
  }
  const manifest = parseManifest(read.manifest, address);
  const layer = chartLayer(manifest, address);
  const chart = await readChart(store, layer, address);
  return {
    address,
    digest: read.manifest.digest,
    manifest: read.manifest,
    chart,
    chartYaml: new ChartYaml(chart.files.get("Chart.yaml"), `Chart.yaml of ${address}`),
    values: parseYaml(chart.files.get("values.yaml"), `values.yaml of ${address}`),
  };
}

function chartLayer(manifest: Manifest, address: string): Descriptor {
  if (manifest.kind !== "image" || manifest.config.mediaType !== mediaTypes.helmConfig) {
    throw new WerfError("bundle/not-a-bundle", `${address} is not a bundle: ${describe(manifest)}`, {
      hint: "name the tag that `werf bundle publish` printed",
    });
  }
  const charts = manifest.layers.filter(
    ({ mediaType }) => mediaType === mediaTypes.helmChart || mediaType === mediaTypes.helmChartLegacy,
  );
  const [chart] = charts;
  if (chart === undefined || charts.length > 1) {
    const types = manifest.layers.map((layer) => layer.mediaType).join(", ");
    throw new WerfError(
      "bundle/chart-invalid",
      `${address} has ${charts.length} layers with a chart instead of one (its layers: ${types || "none"})`,
    );
  }
  if (chart.size > maxChartBytes) {
    throw new WerfError("bundle/chart-invalid", `the chart of ${address} has ${chart.size} bytes`);
  }
  return chart;
}

async function readChart(store: BundleStore, layer: Descriptor, address: string): Promise<Chart> {
  const blob = await store.readBlob(layer);
  try {
    return await unpackChart(blob, address);
  } catch (cause) {
    if (cause instanceof WerfError && cause.code.startsWith("archive/")) {
      throw new WerfError(
        "bundle/chart-invalid",
        `the chart of ${address} can't be used: ${messageOf(cause)}`,
        {
          cause,
          ...(cause.hint === undefined ? {} : { hint: cause.hint }),
        },
      );
    }
    throw cause;
  } finally {
    blob.destroy();
  }
}

function describe(manifest: Manifest): string {
  switch (manifest.kind) {
    case "index":
      return `it is an index of ${manifest.manifests.length} manifests, as images for several platforms are`;
    case "image": {
      const type = manifest.artifactType ?? manifest.config.mediaType;
      const isImage = type === mediaTypes.ociConfig || type === mediaTypes.dockerConfig;
      return isImage ? "it is a container image" : `it is an artifact of type ${type}`;
    }
    case "unknown":
      return `it is a manifest of type ${manifest.mediaType}`;
  }
}
