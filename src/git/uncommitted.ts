const namedAtMost = 5;

/** `2 uncommitted changes: a.txt, b.txt`, for messages; the first few by name. */
export function describeUncommitted(paths: readonly string[]): string {
  const count = paths.length === 1 ? "1 uncommitted change" : `${paths.length} uncommitted changes`;
  const more = paths.length > namedAtMost ? ", …" : "";
  return `${count}: ${paths.slice(0, namedAtMost).join(", ")}${more}`;
}
