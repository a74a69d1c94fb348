import { posix } from "node:path";
import { WerfError } from "../core/errors.js";
import { isChartName } from "./chart/chart-yaml.js";

/** How the chart of a bundle is named; the same on every path. */
export interface NamingOptions {
  /** `--rename-chart`. */
  readonly renameChart?: string;
  /** `--helm-compatible-chart`: the last part of the repository, which is what Helm looks for. */
  readonly helmCompatibleChart?: boolean;
}

/**
 * A name that somebody chooses now: what Helm lets a new chart be called. What a chart is called already is taken
 * more leniently.
 * @throws WerfError `bundle/chart-name-invalid`
 */
export function newChartName(name: string): string {
  if (/^[a-zA-Z0-9._-]+$/.test(name) && isChartName(name)) return name;
  throw invalid(name);
}

/**
 * `--rename-chart` before `--helm-compatible-chart` before the name it has.
 * @throws WerfError `bundle/chart-name-invalid`
 */
export function chartName(options: NamingOptions, repository: string, current: string): string {
  if (options.renameChart !== undefined) return newChartName(options.renameChart);
  const name = options.helmCompatibleChart === true ? posix.basename(repository) : current;
  if (isChartName(name)) return name;
  throw invalid(name);
}

function invalid(name: string): WerfError {
  return new WerfError("bundle/chart-name-invalid", `"${name}" can't be the name of a chart`, {
    hint: "name it with --rename-chart: letters, digits, . _ and -",
    exitCode: 2,
  });
}
