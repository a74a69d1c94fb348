import { defineCommand, type RunCommand } from "./command.js";

export const registryFsck: RunCommand = defineCommand({
  options: ["root", "quick"],
  description: [
    "Looks whether every blob and manifest has the bytes of its digest, every manifest what it lists, every tag its manifest, and every list of referrers its entries. Prints a line for each problem and then exits with 1; changes nothing. A server may run meanwhile.",
  ],
  examples: ["werf registry fsck --root ./registry", "werf registry fsck --root ./registry --quick"],
  async execute(run, { options, output }) {
    const { checkRegistry } = await import("../../actions/registry-fsck.js");
    const result = await checkRegistry(run, options, ({ repository, path, what }) =>
      output.line(`${repository ?? "(shared)"}: ${path}: ${what}`),
    );
    if (result === undefined) {
      output.line("There is no local store: nothing to check");
      return;
    }
    const { repositories, manifests, tags, blobs } = result;
    output.line(
      `No problem in ${repositories} repositories, ${manifests} manifests, ${tags} tags and ${blobs} blobs`,
    );
  },
});
