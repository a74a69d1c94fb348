import type { Command } from "./command.js";

export interface CommandEntry {
  /** `["bundle", "publish"]` */
  readonly path: readonly string[];
  readonly summary: string;
  load(): Promise<Command>;
}

/** Every command; bodies are loaded when they are called. */
export const commandTable: readonly CommandEntry[] = [
  {
    path: ["build"],
    summary: "build images and publish them",
    load: async () => (await import("./build.js")).build,
  },
  {
    path: ["bundle", "publish"],
    summary: "publish the chart with its images as a bundle",
    load: async () => (await import("./bundle-publish.js")).bundlePublish,
  },
  {
    path: ["bundle", "copy"],
    summary: "copy a bundle with its images to another registry, or to or from an archive",
    load: async () => (await import("./bundle-copy.js")).bundleCopy,
  },
  {
    path: ["cleanup"],
    summary: "delete the images that nothing needs any more",
    load: async () => (await import("./cleanup.js")).cleanup,
  },
  {
    path: ["purge"],
    summary: "delete everything of this project",
    load: async () => (await import("./purge.js")).purge,
  },
  {
    path: ["ci-env"],
    summary: "make werf's environment of a CI job out of that of the CI system",
    load: async () => (await import("./ci-env.js")).ciEnv,
  },
  {
    path: ["cr", "login"],
    summary: "log in to a container registry",
    load: async () => (await import("./cr-login.js")).crLogin,
  },
  {
    path: ["cr", "logout"],
    summary: "log out of a container registry",
    load: async () => (await import("./cr-logout.js")).crLogout,
  },
  {
    path: ["registry", "serve"],
    summary: "serve an OCI registry from a directory",
    load: async () => (await import("./registry-serve.js")).registryServe,
  },
  {
    path: ["registry", "gc"],
    summary: "remove from a registry's directory what no image needs",
    load: async () => (await import("./registry-gc.js")).registryGc,
  },
  {
    path: ["registry", "fsck"],
    summary: "look whether everything in a registry's directory is whole",
    load: async () => (await import("./registry-fsck.js")).registryFsck,
  },
  {
    path: ["config", "render"],
    summary: "print werf.yaml after its templates",
    load: async () => (await import("./config-render.js")).configRender,
  },
  {
    path: ["config", "list"],
    summary: "print the names of the images of werf.yaml",
    load: async () => (await import("./config-list.js")).configList,
  },
  {
    path: ["config", "graph"],
    summary: "print which images of werf.yaml depend on which",
    load: async () => (await import("./config-graph.js")).configGraph,
  },
  {
    path: ["managed-images", "ls"],
    summary: "print the names of the managed images",
    load: async () => (await import("./managed-images-ls.js")).managedImagesLs,
  },
  {
    path: ["managed-images", "add"],
    summary: "add a name to the managed images",
    load: async () => (await import("./managed-images-add.js")).managedImagesAdd,
  },
  {
    path: ["managed-images", "rm"],
    summary: "take a name away from the managed images",
    load: async () => (await import("./managed-images-rm.js")).managedImagesRm,
  },
  {
    path: ["stage", "image"],
    summary: "print the address of an image that is built",
    load: async () => (await import("./stage-image.js")).stageImage,
  },
  {
    path: ["slugify"],
    summary: "make a name for a release, a namespace or a tag out of any text",
    load: async () => (await import("./slugify.js")).slugify,
  },
  {
    path: ["version"],
    summary: "print the version",
    load: async () => (await import("./version.js")).version,
  },
];
