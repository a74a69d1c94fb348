import { join } from "node:path";
import { WerfError } from "../../../core/errors.js";
import type { RunContext } from "../../../core/run-context.js";
import type { Descriptor } from "../../../oci/descriptor.js";
import { parseDigest } from "../../../oci/digest.js";
import type { ImageConfig, RuntimeConfig } from "../../../oci/image-config.js";
import { openLayoutDirectory } from "../../../oci/layout/layout-directory.js";
import { parseManifest } from "../../../oci/manifest.js";
import type { Store } from "../../../oci/store.js";
import type { BaseImage, BuildRequest, BuiltImage, BuiltLayer } from "../engine.js";
import type { Buildah } from "./program.js";

/**
 * Takes a finished image out of buildah's storage. Layers of base images stay those of their registry, byte
 * for byte: buildah would compress them anew.
 * @throws WerfError `build/buildah-result`
 */
export async function takeImage(
  run: RunContext,
  buildah: Buildah,
  id: string,
  request: BuildRequest,
  bases: readonly BaseImage[],
): Promise<BuiltImage> {
  const config = await readConfig(buildah, id, request);
  const directory = join(request.scratchDirectory, "image");
  const pushed = await buildah.run(["push", "--quiet", "--format", "oci", id, "oci:image:image"], {
    cwd: request.scratchDirectory,
  });
  if (pushed.exitCode !== 0) throw unusable(request, pushed.stderr.trim());
  const store = await openLayoutDirectory(run, directory, "read");
  const read = await store.readManifest("image");
  const manifest = read.kind === "present" ? parseManifest(read.manifest, directory) : undefined;
  if (manifest?.kind !== "image") throw unusable(request, `there is no image in ${directory}`);
  const diffIds = config.rootfs.diff_ids.map(parseDigest);
  if (diffIds.length !== manifest.layers.length) {
    throw unusable(request, `${manifest.layers.length} layers, but ${diffIds.length} diff_ids`);
  }
  const known = baseLayers(bases);
  const layers = manifest.layers.map((own, i): BuiltLayer => {
    const diffId = parseDigest(diffIds[i] ?? "");
    const { descriptor, store: place } = known.get(diffId) ?? { descriptor: own, store };
    return { descriptor, diffId, content: { kind: "stored", store: place } };
  });
  return { config, layers };
}

function baseLayers(
  bases: readonly BaseImage[],
): ReadonlyMap<string, { readonly descriptor: Descriptor; readonly store: Store }> {
  return new Map(
    bases.flatMap(({ config, layers, store }) =>
      layers.map((descriptor, i) => [config.rootfs.diff_ids[i] ?? "", { descriptor, store }] as const),
    ),
  );
}

/** OCI's configuration, with the fields of Docker's that it doesn't have and registries keep all the same. */
async function readConfig(buildah: Buildah, id: string, request: BuildRequest): Promise<ImageConfig> {
  const result = await buildah.run(["inspect", "--type", "image", id]);
  if (result.exitCode !== 0) throw unusable(request, result.stderr.trim());
  const { OCIv1, Docker } = JSON.parse(Buffer.from(result.stdout).toString("utf8")) as {
    readonly OCIv1?: ImageConfig;
    readonly Docker?: { readonly config?: RuntimeConfig };
  };
  if (OCIv1?.rootfs?.diff_ids === undefined) throw unusable(request, `no configuration of ${id}`);
  const { created: _, config = {}, ...rest } = OCIv1;
  const { Healthcheck, Shell, OnBuild } = Docker?.config ?? {};
  return {
    ...rest,
    config: {
      ...config,
      ...(Healthcheck === undefined ? {} : { Healthcheck }),
      ...(Shell === undefined || Shell.length === 0 ? {} : { Shell }),
      ...(OnBuild === undefined || OnBuild.length === 0 ? {} : { OnBuild }),
      Labels: { ...config.Labels, ...request.labels },
    },
  };
}

function unusable(request: BuildRequest, answer: string): WerfError {
  return new WerfError(
    "build/buildah-result",
    `image ${request.image}: the image that buildah made can't be read: ${answer}`,
    { hint: "is there space left in the temporary directory and below WERF_HOME?" },
  );
}
