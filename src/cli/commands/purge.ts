import { deletionOptions, projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const purge: RunCommand = defineCommand({
  options: [...deletionOptions, ...projectOptions, ...registryOptions],
  description: [
    "Deletes every stage and record of this project from the repository, whatever git and clusters say. Published bundles with their images stay, and what other projects and other tools put there.",
  ],
  examples: ["werf purge --repo registry.example.org/app --dry-run"],
  async execute(run, { options: values, output }) {
    const { purgeRepository } = await import("../../actions/purge.js");
    const verbose = values.logVerbose || values.logDebug;
    await purgeRepository(run, { ...values, verbose }, (line) => output.line(line));
  },
});
