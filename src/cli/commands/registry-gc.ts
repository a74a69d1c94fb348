import { formatBytes } from "../output/bytes.js";
import { defineCommand, type RunCommand } from "./command.js";
import { parseOlderThan } from "./registry-values.js";

export const registryGc: RunCommand = defineCommand({
  options: ["root", "dryRun", "olderThan", "untagged"],
  description: [
    "Removes the blobs that no manifest of their repository lists, and with --untagged the manifests that have no tag and that no other manifest needs. Pushes may go on meanwhile.",
  ],
  examples: [
    "werf registry gc --dry-run",
    "werf registry gc --root ./registry --untagged",
    "werf registry gc --root ./registry --older-than 168h",
  ],
  async execute(run, { options, output }) {
    const olderThanMs = parseOlderThan(options.olderThan);
    const { collectGarbage } = await import("../../actions/registry-gc.js");
    const { dryRun, untagged, root } = options;
    const verb = dryRun ? "would remove" : "removed";
    const result = await collectGarbage(run, { root, dryRun, untagged, olderThanMs }, (item) =>
      output.line(`${item.repository}: ${verb} ${item.kind} ${item.digest} (${formatBytes(item.size)})`),
    );
    if (result === undefined) {
      output.line("There is no local store: nothing to remove");
      return;
    }
    const { manifests, blobs, bytes } = result;
    const would = dryRun ? "Would remove" : "Removed";
    output.line(`${would} ${manifests} manifests, and ${blobs} blobs of ${formatBytes(bytes)} from the disk`);
  },
});
