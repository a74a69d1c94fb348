import { imageOptions, projectOptions, registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const bundlePublish: RunCommand = defineCommand({
  arguments: "[IMAGE...]",
  options: [
    "tag",
    "helmCompatibleChart",
    "renameChart",
    ...imageOptions,
    ...projectOptions,
    ...registryOptions,
  ],
  description: [
    "Builds what isn't built, and publishes the commit's Helm chart with the addresses and digests of the images in its values. Stock Helm pulls the bundle: by version when the tag is a semantic version, by digest always. The same commit gives the same bytes.",
  ],
  examples: ["werf bundle publish --repo registry.example.org/app --tag 1.2.3"],
  async execute(run, { options: values, args, output, hostPlatform }) {
    const { publishProjectBundle } = await import("../../actions/publish-bundle.js");
    const bundle = await publishProjectBundle(run, { ...values, images: args, hostPlatform });
    output.line(`${bundle.address}:${bundle.tag}`);
    output.line(`${bundle.address}@${bundle.digest}`);
  },
});
