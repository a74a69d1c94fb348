import type { ReportedImage } from "../build/report/build-report.js";
import { formatEnvironmentReport, formatJsonReport } from "../build/report/build-report.js";
import type { RunContext } from "../core/run-context.js";
import { type ProjectSettings, withProject } from "./project.js";
import { type ProvideSettings, provideImages } from "./provide-images.js";
import { checkReportPath, writeReport } from "./report-file.js";
import { checkAddresses, type RegistryAccess, withStores } from "./stores.js";

export interface BuildSettings extends ProjectSettings, RegistryAccess, ProvideSettings {
  readonly saveBuildReport: boolean;
  readonly buildReportPath: string;
}

/** `werf build`: brings the images of werf.yaml into the repository. Returns them in dependency order. */
export async function buildImages(
  run: RunContext,
  settings: BuildSettings,
): Promise<readonly ReportedImage[]> {
  checkAddresses(settings.repo, settings.finalRepo);
  const report = settings.saveBuildReport
    ? await checkReportPath(run, settings.buildReportPath, [".json", ".env"])
    : undefined;
  return withProject(run, settings, (project) =>
    withStores(run, settings, async (stores) => {
      const images = (await provideImages(run, project, stores, settings)).map(({ image }) => image);
      if (report !== undefined) {
        const format = report.endsWith(".env") ? formatEnvironmentReport : formatJsonReport;
        await writeReport(report, format(images));
      }
      return images;
    }),
  );
}
