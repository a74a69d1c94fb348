import { projectOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const configList: RunCommand = defineCommand({
  options: ["finalImagesOnly", ...projectOptions],
  description: ["Prints a name a line, in the order of the file. No registry is asked."],
  examples: ["werf config list", "werf config list --final-images-only=false"],
  async execute(run, { options, output }) {
    const { listConfigImages } = await import("../../actions/config.js");
    for (const name of await listConfigImages(run, options)) output.line(name);
  },
});
