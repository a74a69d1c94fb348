import { projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const managedImagesRm: RunCommand = defineCommand({
  arguments: "<NAME>",
  options: ["repo", ...projectOptions, ...registryOptions],
  description: ["Deletes the record; images and their tags stay as they are."],
  examples: ["werf managed-images rm backend --repo registry.example.org/app"],
  async execute(run, { options, args: [name = ""] }) {
    const { removeManagedImage } = await import("../../actions/managed-images.js");
    await removeManagedImage(run, options, name);
  },
});
