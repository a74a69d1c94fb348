import { deletionOptions, projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const cleanup: RunCommand = defineCommand({
  options: [
    "withoutKube",
    "keepStagesBuiltWithinLastNHours",
    "keepList",
    "maxDelete",
    ...deletionOptions,
    ...projectOptions,
    ...registryOptions,
  ],
  description: [
    "Keeps what git history, age, the keep list and published bundles need, with everything that it is made of, and deletes the rest of this project. The plan is computed first; --dry-run shows it and writes nothing, and a real run carries out exactly such a plan.",
    "Which images Kubernetes uses can't be looked up yet: say --without-kube, or set cleanup.disableKubernetesBasedPolicy in werf.yaml.",
  ],
  examples: [
    "werf cleanup --repo registry.example.org/app --without-kube --dry-run",
    "werf cleanup --repo registry.example.org/app --without-kube --keep-list tags.txt --save-cleanup-report",
  ],
  async execute(run, { options: values, output }) {
    const { cleanupRepository } = await import("../../actions/cleanup.js");
    const verbose = values.logVerbose || values.logDebug;
    await cleanupRepository(run, { ...values, verbose }, (line) => output.line(line));
  },
});
