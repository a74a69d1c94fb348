import type { MapReader } from "./map-reader.js";

/**
 * Checks `imageSpec`, the changes to an image's configuration. `global` is `build.imageSpec`, which knows labels
 * only.
 */
export function validateImageSpec(reader: MapReader, scope: "image" | "global"): void {
  reader.string("author");
  reader.boolean("clearHistory");
  const config = reader.map("config");
  if (config !== undefined) {
    config.scalars("labels");
    config.strings("removeLabels");
    config.boolean("keepEssentialWerfLabels");
    if (scope === "image") checkRuntime(config);
    config.close();
  }
  reader.close();
}

const listKeys = ["removeEnv", "volumes", "removeVolumes", "expose"];
const textKeys = ["user", "workingDir", "stopSignal"];
const switches = ["clearCmd", "clearEntrypoint", "clearUser", "clearWorkingDir", "clearWerfLabels"];

function checkRuntime(config: MapReader): void {
  config.scalars("env");
  for (const key of listKeys) config.strings(key);
  for (const key of textKeys) config.string(key);
  for (const key of switches) config.boolean(key);
  for (const key of ["cmd", "entrypoint"]) config.strings(key, "single");
  const healthcheck = config.map("healthcheck");
  if (healthcheck === undefined) return;
  healthcheck.strings("test", "single");
  for (const key of ["interval", "timeout", "startPeriod", "retries"]) healthcheck.integer(key, 0);
  healthcheck.close();
}
