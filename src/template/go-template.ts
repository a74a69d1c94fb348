import {
  createEngine,
  type Defines,
  type Engine,
  FailError,
  type FuncMap,
  type Template,
  TemplateError,
  type TemplateFunc,
} from "@promptctl/go-template-js";
import { isWerfError, messageOf, WerfError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { RenderOptions, TemplateFunction, TemplateSource } from "./render.js";
import { methodFunction, rewriteActions } from "./rewrite.js";
import { mendScopes } from "./scopes.js";
import { sprigFunctions } from "./sprig.js";
import { fromYaml, toYaml } from "./yaml-functions.js";

/** Far more than anyone needs, and less than exhausts the stack. */
const maxIncludes = 200;

/** One rendering: an engine with its functions, and the templates that can be included. */
export class GoTemplates {
  readonly #options: RenderOptions;
  readonly #engine: Engine<string>;
  readonly #methods: readonly string[];
  /** Rewritten text to name: an error carries only the text that it happened in. */
  readonly #names = new Map<string, string>();
  readonly #files: ReadonlyMap<string, string>;
  readonly #parsed = new Map<string, Template<string>>();
  #defines: Defines | undefined;
  #depth = 0;

  constructor(options: RenderOptions) {
    this.#options = options;
    this.#methods = Object.keys(options.methods ?? {});
    this.#engine = createEngine<string>({
      fromString: (text) => text,
      isT: (value): value is string => typeof value === "string",
      funcs: this.#functions(),
    });
    mendScopes(this.#engine);
    this.#files = new Map(
      (options.templates ?? []).map(({ name, text }) => [name, this.#rewrite(name, text)]),
    );
  }

  render({ name, text }: TemplateSource): string {
    const source = this.#rewrite(name, text);
    for (const file of this.#files.values()) this.#defines = this.#parse(file).defines();
    const template = this.#parse(source);
    this.#defines = template.defines();
    return this.#evaluate(template, this.#options.data);
  }

  #rewrite(name: string, text: string): string {
    const rewritten = rewriteActions(text, this.#methods);
    if (!this.#names.has(rewritten)) this.#names.set(rewritten, name);
    return rewritten;
  }

  #parse(source: string): Template<string> {
    try {
      return this.#engine.parse(source, this.#defines);
    } catch (error) {
      throw this.#failure(error, "template/invalid");
    }
  }

  #evaluate(template: Template<string>, data: unknown): string {
    if (this.#depth >= maxIncludes) {
      throw new WerfError(
        "template/failed",
        `templates include each other more than ${maxIncludes} times deep`,
      );
    }
    this.#depth++;
    try {
      return template.evaluate(data).join("");
    } catch (error) {
      throw this.#failure(error, "template/failed");
    } finally {
      this.#depth--;
    }
  }

  #failure(error: unknown, code: "template/failed" | "template/invalid"): unknown {
    if (!(error instanceof TemplateError)) return error;
    const name = error.source === undefined ? undefined : this.#names.get(error.source);
    const { line, column } = error.pos;
    return new WerfError(code, `${name ?? "a template"}:${line}:${column}: ${error.message}`, {
      cause: error,
    });
  }

  #include(name: unknown, data: unknown): string {
    if (typeof name !== "string") throw new Error("the first argument must be the name of a template");
    return this.#evaluate(this.#named(name), data);
  }

  #named(name: string): Template<string> {
    const known = this.#parsed.get(name);
    if (known !== undefined) return known;
    const template = this.#parse(this.#sourceOf(name));
    this.#parsed.set(name, template);
    return template;
  }

  #sourceOf(name: string): string {
    const file = this.#files.get(name);
    const isDefined = this.#defines?.has(name) === true;
    if (!isDefined && file === undefined) {
      throw new Error(`there is no template "${name}"${didYouMean(name, this.#files.keys())}`);
    }
    const source =
      file === undefined || isDefined
        ? `{{ template ${JSON.stringify(name)} . }}`
        : withoutDefines(file, name);
    this.#names.set(source, name);
    return source;
  }

  #renderText(text: unknown, data: unknown): string {
    if (typeof text !== "string") throw new Error("the first argument must be a string");
    return this.#evaluate(this.#parse(this.#rewrite("the text given to tpl", text)), data);
  }

  #functions(): FuncMap {
    const include: TemplateFunction = (name, data) => this.#include(name, data);
    const tpl: TemplateFunction = (text, data) => this.#renderText(text, data);
    const own: Record<string, TemplateFunction> = {
      include,
      include_debug: include,
      tpl,
      tpl_debug: tpl,
      // These print only while templates are debugged.
      printf_debug: () => "",
      dump_debug: () => "",
      required,
      fromYaml: (text) => fromYaml(String(text)),
      toYaml,
      call: () => {
        throw new Error("there are no values that can be called");
      },
      ...this.#options.functions,
    };
    for (const [method, fn] of Object.entries(this.#options.methods ?? {})) own[methodFunction(method)] = fn;
    const all: Record<string, TemplateFunc> = sprigFunctions(this.#options.now ?? (() => new Date()));
    for (const [name, fn] of Object.entries(own)) {
      all[name] = { argTypes: ["value"], fn: fn };
    }
    return Object.fromEntries(Object.entries(all).map(([name, fn]) => [name, guarded(name, fn)]));
  }
}

/**
 * What its `define`s say is known already, and the library refuses to define a name again: they get names that
 * nobody calls.
 */
function withoutDefines(text: string, file: string): string {
  return text.replace(/(\{\{-?\s*define\s+")((?:\\.|[^"\\])*)"/g, (_, start: string, name: string) => {
    return `${start}${name} of ${file.replaceAll('"', "")}"`;
  });
}

const required: TemplateFunction = (message, value) => {
  if (value === undefined || value === null || value === "") throw new Error(String(message));
  return value;
};

/** Tells what a function throws with its position, and keeps JavaScript's own objects from it. */
function guarded(name: string, { fn, ...rest }: TemplateFunc): TemplateFunc {
  const call = fn as TemplateFunction;
  const guard: TemplateFunction = (...args) => {
    try {
      args.forEach(refuseHostObject);
      return call(...args);
    } catch (error) {
      if (error instanceof TemplateError || (isWerfError(error) && !error.code.startsWith("core/")))
        throw error;
      throw new FailError(`${name.replace("__", ".")}: ${messageOf(error)}`);
    }
  };
  return { ...rest, fn: guard };
}

/** Fields reach constructors and prototypes (`.x.constructor.prototype`); `set` must not change those. */
function refuseHostObject(value: unknown): void {
  const isPrototype =
    typeof value === "object" &&
    value !== null &&
    Object.hasOwn(value, "constructor") &&
    typeof value.constructor === "function";
  if (typeof value === "function" || isPrototype) throw new Error("the value is not data");
}
