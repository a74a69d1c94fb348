import { projectOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const configRender: RunCommand = defineCommand({
  arguments: "[IMAGE...]",
  options: projectOptions,
  description: [
    "Prints the text that werf.yaml is read from: what its templates make of the commit's files and of --env. With names or patterns of images, only their documents.",
  ],
  examples: ["werf config render --env production", "werf config render backend"],
  async execute(run, { options, args, output }) {
    const { renderProjectConfig } = await import("../../actions/config.js");
    output.line(await renderProjectConfig(run, { ...options, images: args }));
  },
});
