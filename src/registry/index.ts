/** `werf-ts/registry`: a repository in a registry as a `Store`. */
export { openRegistry, type Registry, type RegistryOptions } from "./client/registry.js";
