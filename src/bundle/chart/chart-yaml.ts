import { WerfError } from "../../core/errors.js";
import { parseYaml, type YamlDocument, type YamlRecord } from "./yaml-document.js";

/** What stands in Chart.yaml, as Helm keeps it in the config of a chart in a registry. */
export interface ChartMetadata {
  readonly name: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

export interface ChartDependency {
  readonly name: string;
  readonly version: string;
  /** "": it lies in `charts/`. */
  readonly repository: string;
  readonly alias?: string;
}

export interface ChartChanges {
  readonly name?: string;
  readonly version?: string;
  readonly appVersion?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const textFields = ["home", "description", "icon", "condition", "tags", "appVersion", "kubeVersion", "type"];

/** Chart.yaml, of which only what is changed changes; unknown fields and comments stay. */
export class ChartYaml {
  readonly #document: YamlDocument;
  readonly #source: string;

  /** @throws WerfError `bundle/yaml-invalid` */
  constructor(bytes: Uint8Array | undefined, source: string) {
    this.#document = parseYaml(bytes, source);
    this.#source = source;
  }

  get name(): string | undefined {
    return this.#text("name");
  }

  get version(): string | undefined {
    return this.#text("version");
  }

  get dependencies(): readonly ChartDependency[] {
    return this.#list("dependencies").map((item) => {
      const { name, version, repository, alias } = (item ?? {}) as Record<string, unknown>;
      if (typeof name !== "string" || name === "" || /[/\\]/.test(name) || name.startsWith(".")) {
        throw this.#invalid("a dependency has no name, or one that is a path");
      }
      return {
        name,
        version: typeof version === "string" ? version : "",
        repository: typeof repository === "string" ? repository : "",
        ...(typeof alias === "string" ? { alias } : {}),
      };
    });
  }

  /** Charts of Helm 2 have apiVersion v1, or none; a bundle is always v2. */
  change(changes: ChartChanges): void {
    const { annotations, ...fields } = changes;
    const texts = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const values: YamlRecord = { apiVersion: "v2", ...Object.fromEntries(texts) };
    this.#document.merge(annotations === undefined ? values : { ...values, annotations });
  }

  toBytes(): Uint8Array {
    return this.#document.toBytes();
  }

  /**
   * The fields that Helm knows, with the types it reads them with.
   * @throws WerfError `bundle/chart-invalid` when Helm couldn't read it
   */
  metadata(): ChartMetadata {
    const { name, version } = this;
    if (name === undefined || !isChartName(name))
      throw this.#invalid(`"${name ?? ""}" is no name of a chart`);
    if (version === undefined) throw this.#invalid("it has no version");
    const texts = textFields.map((field) => [field, this.#text(field)] as const);
    return compact({
      name,
      version,
      apiVersion: this.#text("apiVersion") ?? "v1",
      ...Object.fromEntries(texts),
      sources: this.#list("sources"),
      keywords: this.#list("keywords"),
      maintainers: this.#list("maintainers"),
      deprecated: this.#text("deprecated") === "true" ? true : undefined,
      annotations: this.#annotations(),
      dependencies: this.#list("dependencies").map(typedDependency),
    });
  }

  #annotations(): Record<string, string> {
    const value = this.#document.get(["annotations"]) ?? {};
    const isMap = typeof value === "object" && !Array.isArray(value);
    if (!isMap || !Object.values(value).every((text) => typeof text === "string")) {
      throw this.#invalid('"annotations" is not a map of strings');
    }
    return value as Record<string, string>;
  }

  #text(field: string): string | undefined {
    const value = this.#document.get([field]);
    if (value === undefined || typeof value === "string") return value === "" ? undefined : value;
    throw this.#invalid(`"${field}" is not a text`);
  }

  #list(field: string): readonly unknown[] {
    const value = this.#document.get([field]) ?? [];
    if (Array.isArray(value)) return value;
    throw this.#invalid(`"${field}" is not a list`);
  }

  #invalid(what: string): WerfError {
    return new WerfError("bundle/chart-invalid", `${this.#source}: ${what}`);
  }
}

/** It becomes a directory in the archive. */
export function isChartName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name) && name.length <= 250;
}

function typedDependency(item: unknown): unknown {
  const { enabled, ...rest } = (item ?? {}) as Record<string, unknown>;
  return enabled === "true" ? { ...rest, enabled: true } : rest;
}

/** Without what says nothing, as Go's `omitempty`. */
function compact(fields: ChartMetadata): ChartMetadata {
  const kept = Object.entries(fields).filter(([, value]) => {
    if (value === undefined) return false;
    return typeof value !== "object" || value === null || Object.keys(value).length > 0;
  });
  return Object.fromEntries(kept) as ChartMetadata;
}
