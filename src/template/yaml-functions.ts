import { parseDocument, stringify } from "yaml";

const maxAliases = 100;

/** `fromYaml`: a mapping, as in werf; nothing is an empty one. */
export function fromYaml(text: string): Record<string, unknown> {
  const document = parseDocument(text, { version: "1.1", logLevel: "silent", prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) throw new Error(error.message);
  const value: unknown = document.toJS({ maxAliasCount: maxAliases });
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new Error("it is not a mapping");
  return value as Record<string, unknown>;
}

/** `toYaml`: sorted keys, lists not indented, no line's end at the end, as yaml.v2 of Go writes it. */
export function toYaml(value: unknown): string {
  return stringify(value, { version: "1.1", indentSeq: false, sortMapEntries: true, lineWidth: 0 }).replace(
    /\n$/,
    "",
  );
}
