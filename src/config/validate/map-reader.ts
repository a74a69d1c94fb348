import { isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap } from "yaml";
import { didYouMean } from "../../core/suggest.js";
import type { YamlFile } from "./yaml-file.js";

interface Entry {
  readonly key: Node;
  readonly value: Node | undefined;
}

/**
 * Reads one mapping of the file by the types that its keys must have. A wrong value is a problem of the file and
 * reads as absent; a key that nobody asked for is found by `close`. `~` and nothing are the same as no key.
 */
export class MapReader {
  readonly file: YamlFile;
  /** The mapping itself, for positions. */
  readonly node: YAMLMap;
  /** For messages: `cleanup.keepPolicies[0]`, `image "backend"`. */
  readonly title: string;
  readonly #entries = new Map<string, Entry>();
  readonly #asked = new Set<string>();

  constructor(file: YamlFile, node: YAMLMap, title: string) {
    this.file = file;
    this.node = node;
    this.title = title;
    this.#collect(node, 0);
  }

  #collect(map: YAMLMap, depth: number): void {
    const merged: Node[] = [];
    for (const { key, value } of map.items) {
      const name = this.#keyName(key);
      if (name === undefined) continue;
      if (name === "<<" && (key as Scalar).type === "PLAIN") {
        const source = this.file.resolve(value);
        merged.push(...(isSeq(source) ? (source.items as Node[]) : source === undefined ? [] : [source]));
      } else if (!this.#entries.has(name)) {
        this.#entries.set(name, { key: key as Node, value: this.file.resolve(value) });
      }
    }
    for (const source of merged) {
      const target = this.file.resolve(source);
      if (isMap(target) && depth < 10) this.#collect(target, depth + 1);
      else this.file.problem(source, "<< must be followed by a mapping, or a list of mappings");
    }
  }

  #keyName(key: unknown): string | undefined {
    const node = this.file.resolve(key);
    if (isScalar(node)) return typeof node.value === "string" ? node.value : (node.source ?? "");
    this.file.problem(key ?? this.node, "a key must be a plain word");
    return undefined;
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  /** Whether the key is written, even without a value. */
  mentions(key: string): boolean {
    return this.#entries.has(key);
  }

  /** The value as it is; the key is then known. */
  value(key: string): Node | undefined {
    this.#asked.add(key);
    return this.#entries.get(key)?.value;
  }

  /** A problem at a key of this mapping, or at the mapping itself. */
  problem(key: string | undefined, message: string): void {
    const entry = key === undefined ? undefined : this.#entries.get(key);
    this.file.problem(entry?.key ?? this.node, message);
  }

  problemAtValue(key: string, message: string): void {
    this.file.problem(this.#entries.get(key)?.value ?? this.node, message);
  }

  lineOf(key: string): number {
    return this.file.lineOf(this.#entries.get(key)?.key ?? this.node);
  }

  /** Any scalar, as it is written: `1.10` stays `1.10`. */
  string(key: string): string | undefined {
    const node = this.value(key);
    if (node === undefined) return undefined;
    const text = textOf(node);
    if (text === undefined) this.#wrong(key, node, "a string");
    return text;
  }

  boolean(key: string): boolean | undefined {
    const node = this.value(key);
    if (node === undefined) return undefined;
    if (isScalar(node) && typeof node.value === "boolean") return node.value;
    return this.#wrong(key, node, "true or false");
  }

  integer(key: string, minimum: number = Number.MIN_SAFE_INTEGER): number | undefined {
    const node = this.value(key);
    if (node === undefined) return undefined;
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value !== "number" || !Number.isSafeInteger(value))
      return this.#wrong(key, node, "a whole number");
    if (value >= minimum) return value;
    this.file.problem(node, `${this.#path(key)} must be at least ${minimum}, not ${value}`);
    return undefined;
  }

  /** A list of scalars; `single`: one scalar is a list of one. */
  strings(key: string, single: "single" | "list" = "list"): string[] | undefined {
    const node = this.value(key);
    if (node === undefined) return undefined;
    if (single === "single" && isScalar(node)) return [textOf(node) ?? ""];
    if (!isSeq(node)) {
      return this.#wrong(
        key,
        node,
        single === "single" ? "a string or a list of strings" : "a list of strings",
      );
    }
    return node.items.flatMap((item, i) => {
      const resolved = this.file.resolve(item);
      const text = resolved === undefined ? undefined : textOf(resolved);
      if (text === undefined) this.file.problem(item, `${this.#path(key)}[${i}] must be a string`);
      return text === undefined ? [] : [text];
    });
  }

  /** A mapping to scalars, as text; `null` is refused, because Go would write `<nil>`. */
  scalars(key: string): Record<string, string> | undefined {
    const map = this.map(key);
    if (map === undefined) return undefined;
    const result = new Map<string, string>();
    for (const name of map.keys()) {
      const node = map.value(name);
      const text = node === undefined ? undefined : scalarText(node);
      if (text === undefined)
        map.problem(name, `${map.#path(name)} must have a value; write "" for an empty one`);
      else result.set(name, text);
    }
    return Object.fromEntries(result);
  }

  map(key: string): MapReader | undefined {
    const node = this.value(key);
    if (node === undefined) return undefined;
    if (isMap(node)) return new MapReader(this.file, node, this.#path(key));
    return this.#wrong(key, node, "a mapping");
  }

  maps(key: string): MapReader[] {
    const node = this.value(key);
    if (node === undefined) return [];
    if (!isSeq(node)) return this.#wrong(key, node, "a list of mappings") ?? [];
    return node.items.flatMap((item, i) => {
      const resolved = this.file.resolve(item);
      if (isMap(resolved)) return [new MapReader(this.file, resolved, `${this.#path(key)}[${i}]`)];
      this.file.problem(item, `${this.#path(key)}[${i}] must be a mapping`);
      return [];
    });
  }

  /**
   * Finds the keys that nobody asked for, and says whether there are none. `others`: keys to suggest that weren't
   * asked for either.
   */
  close(others: readonly string[] = []): boolean {
    let complete = true;
    const known = [...this.#asked, ...others];
    for (const [name, { key }] of this.#entries) {
      if (this.#asked.has(name)) continue;
      complete = false;
      const guess = didYouMean(
        name,
        known.filter((candidate) => !this.#entries.has(candidate)),
      );
      this.file.problem(key, `unknown key "${name}" in ${this.title}${guess}`);
    }
    return complete;
  }

  #path(key: string): string {
    return /^[\w.[\]]+$/.test(this.title) && this.title !== "" ? `${this.title}.${key}` : key;
  }

  #wrong(key: string, node: Node, expected: string): undefined {
    this.file.problem(node, `${this.#path(key)} must be ${expected}, not ${describe(node)}`);
    return undefined;
  }
}

function textOf(node: Node): string | undefined {
  if (!isScalar(node)) return undefined;
  return typeof node.value === "string" ? node.value : node.source;
}

/** Numbers and booleans as Go prints them: `yes` is `true`, `0x10` is `16`. */
function scalarText(node: Node): string | undefined {
  if (!isScalar(node)) return undefined;
  const { value } = node;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number" && (Number.isSafeInteger(value) || /[.e]/i.test(node.source ?? ""))) {
    return String(value);
  }
  return textOf(node);
}

function describe(node: Node): string {
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  return isScalar(node) ? JSON.stringify(typeof node.value === "string" ? node.value : node.source) : "this";
}
