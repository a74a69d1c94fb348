import { type Document, isAlias, isMap, isScalar, parseAllDocuments, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { WerfError } from "../../core/errors.js";

/** Plain data to be laid over a document. Numbers are whole. */
export type YamlValue = string | number | boolean | readonly YamlValue[] | YamlRecord;
export interface YamlRecord {
  readonly [key: string]: YamlValue;
}

const maxBytes = 5 * 1024 * 1024;
const maxAliases = 1000;

/**
 * A YAML file whose top is a map, edited in place: what isn't touched keeps its comments and its spelling. Scalars
 * are read as the text they are, so that nobody's `yes`, `0o17` or `1.10` changes on the way.
 */
export class YamlDocument {
  readonly #document: Document;
  readonly #source: string;

  constructor(document: Document, source: string) {
    this.#document = document;
    this.#source = source;
  }

  /** What stands at the path as plain data (all scalars are strings); `undefined` when nothing does. */
  get(path: readonly string[]): unknown {
    const node = path.reduce<unknown>((at, key) => {
      const map = this.#resolved(at);
      return isMap(map) ? map.get(key, true) : undefined;
    }, this.#document.contents);
    const resolved = this.#resolved(node);
    if (!isScalar(resolved) && !isMap(resolved) && !isCollection(resolved)) return undefined;
    if (isScalar(resolved) && resolved.type === "PLAIN" && isNull(resolved.value)) return undefined;
    try {
      return resolved.toJS(this.#document, { maxAliasCount: maxAliases });
    } catch (cause) {
      throw invalid(this.#source, `"${path.join(".")}": ${(cause as Error).message}`, cause);
    }
  }

  /** Lays values over the document, maps into maps, as Helm does: what is in `values` wins. */
  merge(values: YamlRecord): void {
    this.#mergeInto(this.#root(), values);
  }

  /** Takes the key at the path away. */
  remove(path: readonly string[]): void {
    if (this.#document.hasIn(path)) this.#document.deleteIn(path);
  }

  toBytes(): Uint8Array {
    const isEmpty = this.#document.contents === null;
    return Buffer.from(
      isEmpty ? "" : this.#document.toString({ lineWidth: 0, flowCollectionPadding: false }),
    );
  }

  #root(): YAMLMap {
    if (!isMap(this.#document.contents)) this.#document.contents = new YAMLMap();
    return this.#document.contents as YAMLMap;
  }

  #mergeInto(map: YAMLMap, values: YamlRecord): void {
    for (const [key, value] of Object.entries(values)) {
      if (isRecord(value)) this.#mergeInto(this.#mapAt(map, key), value);
      else map.set(scalar(key), this.#node(value));
    }
  }

  /** The map under a key, made when there is none; one that is shared through an alias is copied first. */
  #mapAt(map: YAMLMap, key: string): YAMLMap {
    const there: unknown = map.get(key, true);
    const resolved = this.#resolved(there);
    if (isMap(resolved) && there === resolved) return resolved;
    const made = isMap(resolved) ? (resolved.clone() as YAMLMap) : new YAMLMap();
    delete made.anchor;
    map.set(scalar(key), made);
    return made;
  }

  #node(value: YamlValue): YAMLMap | YAMLSeq | Scalar {
    if (typeof value !== "object") return scalar(value);
    if (isRecord(value)) {
      const map = new YAMLMap();
      this.#mergeInto(map, value);
      return map;
    }
    const list = new YAMLSeq();
    for (const item of value) list.add(this.#node(item));
    return list;
  }

  #resolved(node: unknown): unknown {
    if (!isAlias(node)) return node;
    const target = node.resolve(this.#document);
    if (target === undefined) throw invalid(this.#source, `the alias *${node.source} has no anchor`);
    return target;
  }
}

/** `bytes` absent: an empty document. @throws WerfError `bundle/yaml-invalid` */
export function parseYaml(bytes: Uint8Array | undefined, source: string): YamlDocument {
  if (bytes !== undefined && bytes.length > maxBytes) {
    throw invalid(source, `it has ${bytes.length} bytes; at most ${maxBytes} are read`);
  }
  const text = Buffer.from(bytes ?? []).toString("utf8");
  const document = parseOne(text, source);
  const [problem] = document.errors;
  if (problem !== undefined) throw invalid(source, problem.message, problem);
  const { contents } = document;
  const isEmpty = contents === null || (isScalar(contents) && isNull(contents.value));
  if (isEmpty) document.contents = null;
  else if (!isMap(contents)) throw invalid(source, "its top is not a map");
  return new YamlDocument(document, source);
}

function parseOne(text: string, source: string): Document {
  try {
    const [first, second] = parseAllDocuments(text, { schema: "failsafe", logLevel: "silent" }) as Document[];
    if (second !== undefined) throw invalid(source, "it has more than one document");
    return first ?? (parseAllDocuments("{}\n", { schema: "failsafe" })[0] as Document);
  } catch (cause) {
    if (cause instanceof RangeError) throw invalid(source, "it is nested too deeply", cause);
    throw cause;
  }
}

function isNull(value: unknown): boolean {
  return value === null || value === "" || value === "~" || value === "null";
}

function isCollection(node: unknown): node is YAMLMap {
  return typeof node === "object" && node !== null && "items" in node && "toJS" in node;
}

function isRecord(value: YamlValue): value is YamlRecord {
  return typeof value === "object" && !Array.isArray(value);
}

/** Strings are quoted, so that no reader takes one for a number or a boolean. */
function scalar(value: string | number | boolean): Scalar {
  const made = new Scalar(String(value));
  if (typeof value === "string")
    made.type = /^[A-Za-z_][\w-]*$/.test(value) && !isWord(value) ? "PLAIN" : "QUOTE_DOUBLE";
  return made;
}

/** What YAML 1.1, which Helm reads, takes for a boolean or nothing. */
function isWord(text: string): boolean {
  return /^(?:y|n|yes|no|on|off|true|false|null)$/i.test(text);
}

function invalid(source: string, what: string, cause?: unknown): WerfError {
  return new WerfError("bundle/yaml-invalid", `${source}: ${what}`, { cause });
}
