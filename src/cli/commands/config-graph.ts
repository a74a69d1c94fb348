import { projectOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const configGraph: RunCommand = defineCommand({
  arguments: "[IMAGE...]",
  options: projectOptions,
  description: [
    "Prints YAML: a list of `image` and, under `dependsOn.dependencies`, the images that must be built before. No registry is asked.",
  ],
  examples: ["werf config graph", "werf config graph backend"],
  async execute(run, { options, args, output }) {
    const [{ readImageGraph }, { stringify }] = await Promise.all([
      import("../../actions/config.js"),
      import("yaml"),
    ]);
    const nodes = (await readImageGraph(run, { ...options, images: args })).map(({ image, dependencies }) =>
      dependencies.length === 0 ? { image } : { image, dependsOn: { dependencies } },
    );
    output.line(stringify(nodes).trimEnd());
  },
});
