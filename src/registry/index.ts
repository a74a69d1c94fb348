/** `werf-ts/registry`: repositories of registries as stores, with Docker's credentials. */
export type { Registry, RegistryOptions } from "./client/registry.js";
export { openRegistry } from "./client/registry.js";
