import { version as packageVersion } from "../../core/version.js";
import { type Command, defineCommand } from "./command.js";

export const version: Command = defineCommand({
  options: [],
  description: [],
  examples: ["werf version"],
  async execute(_run, { output }) {
    output.line(`v${packageVersion}`);
  },
});
