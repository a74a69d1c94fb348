import { projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const stageImage: RunCommand = defineCommand({
  arguments: "[IMAGE]",
  options: ["repo", "platform", "parallel", "parallelTasksLimit", ...projectOptions, ...registryOptions],
  description: [
    "Prints REPO:TAG of the image that belongs to the commit HEAD. Nothing is built or written: an image that isn't in the repository is an error. IMAGE may be left out when werf.yaml has only one.",
  ],
  examples: ["werf stage image backend --repo registry.example.org/app"],
  async execute(run, { options, args: [image], output, hostPlatform }) {
    const { findStageImage } = await import("../../actions/stage-image.js");
    output.line(await findStageImage(run, { ...options, image, hostPlatform }));
  },
});
