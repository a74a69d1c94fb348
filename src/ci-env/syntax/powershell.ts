import type { Syntax } from "./syntax.js";

/**
 * Windows PowerShell 5.1 and later: about_Quoting_Rules. All but printable ASCII is written as a code unit:
 * 5.1 reads files in the machine's code page, typographic quotes end a string like ", and so each assignment
 * is one line.
 */
export const powershell: Syntax = {
  extension: ".ps1",
  lineEnd: "\n",
  assign: (name, value) => `$Env:${name} = "${value.replace(/[`"$]/g, "`$&").replace(/[^ -~]/g, codeUnit)}"`,
  comment: (text) => `# ${text}`,
  echo: (text) => `echo '${text}'`,
};

function codeUnit(character: string): string {
  return `$([char]${character.charCodeAt(0)})`;
}
