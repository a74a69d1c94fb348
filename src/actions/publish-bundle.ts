import { posix } from "node:path";
import { bundleTag } from "../bundle/chart/version.js";
import { newChartName } from "../bundle/chart-name.js";
import { publishBundle } from "../bundle/publish-bundle.js";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { version } from "../core/version.js";
import { describeUncommitted } from "../git/uncommitted.js";
import { type Project, type ProjectSettings, withProject } from "./project.js";
import { type ProvideSettings, provideImages } from "./provide-images.js";
import { checkAddresses, type RegistryAccess, withStores } from "./stores.js";

export interface PublishSettings extends ProjectSettings, RegistryAccess, ProvideSettings {
  readonly tag: string;
  /** Default: no. */
  readonly helmCompatibleChart?: boolean | undefined;
  readonly renameChart?: string | undefined;
}

export interface PublishedProjectBundle {
  /** `host/name`; the final repository when there is one. */
  readonly address: string;
  readonly tag: string;
  readonly digest: string;
}

/** `werf bundle publish`: the images of the commit, then its chart with their addresses. */
export async function publishProjectBundle(
  run: RunContext,
  settings: PublishSettings,
): Promise<PublishedProjectBundle> {
  if (settings.repo === undefined) {
    throw new WerfError("actions/repo-missing", "--repo=ADDRESS is required to publish a bundle", {
      hint: "a bundle is for others to pull: name a registry with --repo or WERF_REPO",
      exitCode: 2,
    });
  }
  // A mistake is told before anything is built.
  checkAddresses(settings.repo, settings.finalRepo);
  bundleTag(settings.tag);
  if (settings.renameChart !== undefined) newChartName(settings.renameChart);
  const bundleRepository = settings.finalRepo ?? settings.repo;
  return withProject(run, settings, (project) =>
    withStores(run, settings, async (stores) => {
      const provided = await provideImages(run, project, stores, settings);
      const { store, address } = stores.repository(bundleRepository, project.config.project, "push");
      const { appVersion, helmChartDir } = project.config.deploy;
      const directory = posix.join(project.path, helmChartDir);
      await warnAboutUncommitted(run, project, directory);
      const bundle = await publishBundle(run, {
        store,
        repository: address,
        tag: settings.tag,
        project: project.config.project,
        chart: {
          git: project.git,
          commit: project.commit,
          directory,
        },
        images: provided.map(({ image }) => image).filter((image) => image.final),
        werfVersion: `werf-ts-${version}`,
        helmCompatibleChart: settings.helmCompatibleChart ?? false,
        ...(settings.env === undefined ? {} : { env: settings.env }),
        ...(appVersion === undefined ? {} : { appVersion }),
        ...(settings.renameChart === undefined ? {} : { renameChart: settings.renameChart }),
      });
      return { address, tag: bundle.tag, digest: bundle.digest };
    }),
  );
}

async function warnAboutUncommitted(run: RunContext, { git }: Project, directory: string): Promise<void> {
  const paths = await git.uncommittedPaths(directory);
  if (paths.length === 0) return;
  run.emit({
    code: "warning",
    id: "bundle/uncommitted",
    message: `the chart is published without ${describeUncommitted(paths)}`,
    hint: "what is published is the commit HEAD; commit what should be in the chart",
  });
}
