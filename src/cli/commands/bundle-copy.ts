import { registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const bundleCopy: RunCommand = defineCommand({
  options: ["from", "to", "helmCompatibleChart", "renameChart", ...registryOptions],
  description: [
    "Copies a bundle and all images that it names, whole indexes included, by digest: digests stay what they are. The chart's values are rewritten to the destination. What is there already is not sent; a copy that was interrupted goes on when it is run again.",
    "An archive is an OCI layout in a tar, which skopeo reads as oci-archive:FILE; werf's own archives are read too.",
  ],
  examples: [
    "werf bundle copy --from registry.example.org/app:1.2.3 --to prod.example.org/app:1.2.3",
    "werf bundle copy --from registry.example.org/app:1.2.3 --to archive:app.tar",
    "werf bundle copy --from archive:app.tar --to air-gapped.example.org/app:1.2.3",
  ],
  async execute(run, { options: values, output }) {
    const { copyProjectBundle } = await import("../../actions/copy-bundle.js");
    const bundle = await copyProjectBundle(run, values);
    output.line(bundle.reference);
    if (bundle.byDigest !== undefined) output.line(bundle.byDigest);
  },
});
