import { imageOptions, projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const build: RunCommand = defineCommand({
  arguments: "[IMAGE...]",
  options: [...imageOptions, ...projectOptions, ...registryOptions, "saveBuildReport", "buildReportPath"],
  description: [
    "Builds the images of werf.yaml from the files of the git commit HEAD and publishes them under tags that follow from their content. What is published already is not built again. IMAGE is a name or a pattern (*, or !* to leave out); without any, all final images are built.",
  ],
  examples: [
    "werf build --repo registry.example.org/app",
    "werf build backend --repo registry.example.org/app --platform linux/amd64 --platform linux/arm64",
    "werf build                      # into the local store",
  ],
  async execute(run, { options, args, hostPlatform }) {
    const { buildImages } = await import("../../actions/build-images.js");
    await buildImages(run, { ...options, images: args, hostPlatform });
  },
});
