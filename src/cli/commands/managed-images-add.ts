import { projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const managedImagesAdd: RunCommand = defineCommand({
  arguments: "<NAME>",
  options: ["repo", ...projectOptions, ...registryOptions],
  description: ["Writes the record that an image of this name belongs to the project."],
  examples: ["werf managed-images add backend --repo registry.example.org/app"],
  async execute(run, { options, args: [name = ""] }) {
    const { addManagedImage } = await import("../../actions/managed-images.js");
    await addManagedImage(run, options, name);
  },
});
