/**
 * The library. `werf-ts/oci` and `werf-ts/registry` are stable; what is exported here may still change.
 * @experimental
 */

export { type BuildSettings, buildImages } from "./actions/build-images.js";
export { createRunContext, type DisposableRun, type RunSettings } from "./cli/run-context.js";
export { systemClock } from "./core/clock.js";
export { type ErrorCode, isWerfError, WerfError } from "./core/errors.js";
export type { WerfEvent } from "./core/events.js";
export type { HttpClient, HttpRequest, HttpResponse } from "./core/http.js";
export { createRedactor } from "./core/redactor.js";
export type { Clock, Redactor, RunContext } from "./core/run-context.js";
export { createExec } from "./core/spawn.js";
export { createTemporaryDirectories } from "./core/temporary.js";
export { version } from "./core/version.js";
export {
  type RegistryOptions,
  type RunningRegistry,
  startRegistry,
} from "./embedded-registry/server/server.js";
export { createHttpClient, type HttpClientOptions } from "./http/client.js";
