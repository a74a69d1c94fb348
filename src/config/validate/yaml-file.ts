import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  Parser,
  type ScalarTag,
  type Tags,
  visit,
  type YAMLMap,
} from "yaml";
import { WerfError } from "../../core/errors.js";

const maxDepth = 100;
const maxAliases = 10_000;
const shownProblems = 50;

interface Problem {
  readonly offset: number;
  readonly message: string;
}

/**
 * A file of YAML documents, each a mapping, that collects what is wrong with it by position. YAML 1.1, as Go's
 * yaml.v2 reads it (`yes` is true, `010` is eight), but without times and sexagesimal numbers.
 */
export class YamlFile {
  readonly name: string;
  readonly documents: readonly YAMLMap[];
  readonly #lines = new LineCounter();
  readonly #aliases = new Map<Node, Node>();
  readonly #problems = new Map<string, Problem>();
  /** Told above the problems: what their positions refer to. */
  readonly #note: string;
  #resolved = 0;
  #broken = false;

  constructor(name: string, text: string, note = "") {
    this.name = name;
    this.#note = note;
    this.documents = this.#parse(text.startsWith("\ufeff") ? text.slice(1) : text);
  }

  #parse(text: string): YAMLMap[] {
    const tokens = [...new Parser(this.#lines.addNewLine).parse(text)];
    const tooDeep = tokens.map(deepToken).find((offset) => offset !== undefined);
    if (tooDeep !== undefined) {
      this.#broken = true;
      this.problem(tooDeep, `values are nested deeper than ${maxDepth}`);
      return [];
    }
    const options = {
      version: "1.1",
      customTags: withoutTimes,
      logLevel: "silent",
      lineCounter: this.#lines,
    } as const;
    const maps: YAMLMap[] = [];
    for (const document of new Composer(options).compose(tokens, true, text.length)) {
      this.#takeErrors(document, text);
      this.#takeAliases(document);
      const { contents } = document;
      if (isMap(contents)) maps.push(contents);
      else if (!isEmpty(contents) && document.errors.length === 0) {
        this.problem(offsetOf(contents), "a document must be a mapping of keys to values");
      }
    }
    return maps;
  }

  #takeErrors(document: Document.Parsed, text: string): void {
    for (const error of [...document.errors, ...document.warnings]) {
      const [from, to] = error.pos;
      const message =
        error.code === "DUPLICATE_KEY"
          ? `the key "${keyAt(text, from, to)}" is there twice`
          : error.message.charAt(0).toLowerCase() + error.message.slice(1);
      this.problem(from, message);
    }
    this.#broken ||= document.errors.some(({ code }) => code !== "DUPLICATE_KEY");
  }

  #takeAliases(document: Document.Parsed): void {
    const anchors = new Map<string, Node>();
    visit(document, {
      Node: (_, node) => {
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target !== undefined) this.#aliases.set(node, target);
        } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
  }

  /** What a node stands for: the target of an alias, `undefined` for no value. */
  resolve(node: unknown): Node | undefined {
    if (!isNode(node)) return undefined;
    if (!isAlias(node)) return isEmpty(node) ? undefined : node;
    if (++this.#resolved > maxAliases) {
      this.#problems.clear();
      this.problem(node, `more than ${maxAliases} aliases are used`);
      this.throwProblems();
    }
    const target = this.#aliases.get(node);
    if (target === undefined) this.problem(node, `there is no anchor &${node.source} before this alias`);
    return this.resolve(target);
  }

  problem(at: unknown, message: string): void {
    const offset = typeof at === "number" ? at : offsetOf(at);
    this.#problems.set(`${offset} ${message}`, { offset, message });
  }

  /** 1-based. */
  lineOf(node: unknown): number {
    return this.#lines.linePos(offsetOf(node)).line;
  }

  get sound(): boolean {
    return this.#problems.size === 0;
  }

  /** Not YAML at all: what else could be said of it would only follow from that. */
  get broken(): boolean {
    return this.#broken;
  }

  /** @throws WerfError `config/invalid` with all problems, in the order of the file */
  throwProblems(): void {
    if (this.sound) return;
    const lines = [...this.#problems.values()]
      .sort((a, b) => a.offset - b.offset)
      .map(({ offset, message }) => {
        const { line, col } = this.#lines.linePos(offset);
        return `${this.name}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${message}`;
      });
    const shown = lines.slice(0, shownProblems);
    if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more`);
    throw new WerfError(
      "config/invalid",
      shown.length === 1 && this.#note === ""
        ? (shown[0] ?? "")
        : `${this.name} is not valid${this.#note}:\n${shown.map((line) => `  ${line}`).join("\n")}`,
    );
  }
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function isEmpty(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

function keyAt(text: string, from: number, to: number): string {
  const whole = to > from + 1 ? text.slice(from, to) : text.slice(from);
  return /^[^\s:,{}]*/.exec(whole)?.[0] ?? "";
}

function withoutTimes(tags: Tags): Tags {
  const unwanted = new Set(["tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary"]);
  return tags.filter((tag) => {
    if (typeof tag === "string") return true;
    return !unwanted.has(tag.tag) && (tag as ScalarTag).format !== "TIME";
  });
}

/**
 * Where collections nest too deep for recursion, if they do: the composer would exhaust the stack. Walks with a
 * list instead of calls.
 */
function deepToken(document: CST.Token): number | undefined {
  const left: [CST.Token, number][] = [[document, 0]];
  for (let entry = left.pop(); entry !== undefined; entry = left.pop()) {
    const [token, depth] = entry;
    if (depth > maxDepth) return token.offset;
    if (token.type === "document" && token.value !== undefined) left.push([token.value, depth]);
    if (!("items" in token)) continue;
    for (const item of token.items) {
      for (const child of [item.key, item.value]) {
        if (child !== undefined && child !== null) left.push([child, depth + 1]);
      }
    }
  }
  return undefined;
}
