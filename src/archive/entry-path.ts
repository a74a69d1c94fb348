import { WerfError } from "../core/errors.js";

/**
 * The path of an archive's entry, made safe to join to a directory: relative, with forward slashes, without `.`
 * and empty parts, without a slash at its end. The root itself (`./`) is "".
 * A backslash separates on Windows only, so it counts as a letter unless it would lead outside there.
 * @throws WerfError `archive/path-outside` for absolute paths, `..`, drive letters and NUL
 */
export function safeEntryPath(name: string): string {
  if (name.includes("\0")) throw outside(name, "it has a NUL");
  if (/^[/\\]/.test(name)) throw outside(name, "it is absolute");
  if (/^[A-Za-z]:/.test(name)) throw outside(name, "it begins with a drive letter");
  if (name.split(/[/\\]/).includes("..")) throw outside(name, 'it has ".."');
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  // "./C:" and "./\\host" are as dangerous as without the dot.
  if (/^(?:[A-Za-z]:|\\)/.test(parts[0] ?? "")) throw outside(name, "it is absolute on Windows");
  return parts.join("/");
}

function outside(name: string, why: string): WerfError {
  return new WerfError(
    "archive/path-outside",
    `the archive has an entry "${name.slice(0, 300).replaceAll("\0", "\\0")}" that leads outside: ${why}`,
    { hint: "nothing of it was written; check where the archive comes from" },
  );
}
