import type { Syntax } from "./syntax.js";

/** sh, dash, bash, zsh: POSIX.1, "Shell Command Language", 2.2.3 Double-Quotes. */
export const posix: Syntax = {
  extension: "",
  lineEnd: "\n",
  assign: (name, value) => `export ${name}="${value.replace(/[\\"$`]/g, "\\$&")}"`,
  comment: (text) => `# ${text}`,
  echo: (text) => `echo '${text}'`,
};
