import { version as packageVersion } from "../../core/version.js";
import type { PlainCommand } from "./command.js";

export const version: PlainCommand = {
  options: [],
  description: [],
  examples: ["werf version"],
  print: () => `v${packageVersion}`,
};
