import { impossible, type Syntax } from "./syntax.js";

/**
 * A batch file of cmd.exe. The quotes around NAME=VALUE are themselves escaped where the value has quotes or
 * lines, so that cmd never counts quotes and each special character has a caret of its own; `set` takes all
 * up to the last quote. A line feed is a caret, the end of the line and an empty line. Percent signs are
 * doubled, as in any batch file.
 */
export const cmdexe: Syntax = {
  extension: ".bat",
  lineEnd: "\r\n",
  assign(name, value) {
    if (value.includes("\r")) {
      throw impossible(name, "a batch file", "a carriage return", "use --shell powershell");
    }
    const percents = value.replaceAll("%", "%%");
    if (!/["\n]/.test(value)) return `@set "${name}=${percents}"`;
    const escaped = percents.replace(/[\^&|<>()"!]/g, "^$&").replaceAll("\n", "^\r\n\r\n");
    return `@set ^"${name}=${escaped}^"`;
  },
  comment: (text) => `:: ${text}`,
  echo: (text) => `@echo ${text}`,
  // The file is UTF-8; without this it is read in the console's code page.
  unicodeLine: "@chcp 65001 >nul",
};
