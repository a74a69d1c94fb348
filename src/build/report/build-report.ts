import type { PublishedImage } from "../../records/published-image.js";

/** Facts of one image beyond what the registry says about it. */
export interface ReportedImage extends PublishedImage {
  /** Digest of its config; of the index itself, for a multi-platform image. */
  readonly imageId: string;
  /** Bytes of its layers and config as they lie in the registry. */
  readonly size: number;
  readonly buildTimeMs: number;
  readonly commit: string;
}

/**
 * The report as werf writes it, so that its consumers read ours: JSON indented with tabs.
 * `Runtime.Backend` names the way images were made here.
 */
export function formatJsonReport(images: readonly ReportedImage[]): string {
  const report = {
    Runtime: { Backend: "werf-ts", InContainer: false },
    Images: Object.fromEntries(images.map((image) => [image.name, imageRecord(image)])),
    ImagesByPlatform: {},
  };
  return `${JSON.stringify(report, undefined, "\t")}\n`;
}

function imageRecord(image: ReportedImage): object {
  return {
    WerfImageName: image.name,
    ConfigType: image.platforms.length > 1 ? "" : "dockerfile",
    DockerRepo: image.repository,
    DockerTag: image.tag,
    DockerImageID: image.imageId,
    DockerImageDigest: image.digest,
    DockerImageName: `${image.repository}:${image.tag}`,
    TargetPlatform: image.platforms.length > 1 ? "" : (image.platforms[0] ?? ""),
    Rebuilt: image.rebuilt,
    Final: image.final,
    Size: image.size,
    BuildTime: (image.buildTimeMs / 1000).toFixed(2),
    Commit: image.commit,
  };
}

/** `WERF_<NAME>_DOCKER_IMAGE_NAME=...` lines, for `--env-file` and shells. */
export function formatEnvironmentReport(images: readonly ReportedImage[]): string {
  const lines = images.flatMap((image) => {
    const prefix = `WERF_${image.name.toUpperCase().replace(/[/.-]/g, "_")}`;
    return [
      `${prefix}_DOCKER_IMAGE_NAME=${image.repository}:${image.tag}`,
      `${prefix}_DOCKER_IMAGE_ID=${image.imageId}`,
      `${prefix}_DOCKER_IMAGE_DIGEST=${image.digest}`,
      `${prefix}_DOCKER_REPO=${image.repository}`,
      `${prefix}_DOCKER_TAG=${image.tag}`,
      `${prefix}_WERF_IMAGE_NAME=${image.name}`,
      `${prefix}_FINAL=${image.final}`,
    ];
  });
  return lines.map((line) => `${line}\n`).join("");
}
