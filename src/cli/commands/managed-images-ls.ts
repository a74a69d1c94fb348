import { projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const managedImagesLs: RunCommand = defineCommand({
  options: ["repo", ...projectOptions, ...registryOptions],
  description: [
    "Prints a name a line. `build` adds the images that it publishes; cleanup judges what was built under these names also when werf.yaml has them no more.",
  ],
  examples: ["werf managed-images ls --repo registry.example.org/app"],
  async execute(run, { options, output }) {
    const { listManagedImages } = await import("../../actions/managed-images.js");
    for (const name of await listManagedImages(run, options)) output.line(name);
  },
});
