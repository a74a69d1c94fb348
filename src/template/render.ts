/** A template and the name that messages and `include` use. */
export interface TemplateSource {
  readonly name: string;
  readonly text: string;
}

export type TemplateFunction = (...args: readonly unknown[]) => unknown;

export interface RenderOptions {
  /** Callable by `include` and `template` by name, and so is every `define` in them. */
  readonly templates?: readonly TemplateSource[];
  /** What `.` and `$` are. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Added to sprig's, or instead of them. What they throw is told with file and line. */
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
  /** Methods of values in `data`, by the last two fields of the chain: `Files.Get`. */
  readonly methods?: Readonly<Record<`${string}.${string}`, TemplateFunction>>;
  /** What `now` is. */
  readonly now?: () => Date;
}

/**
 * Renders a template of Go's text/template with the functions of sprig, and `include`, `tpl`, `required`,
 * `fromYaml`, `toYaml`. The library for it is loaded only when the text has an action.
 * @throws WerfError `template/invalid` (it can't be parsed), `template/failed`, both with `file:line:column`
 */
export async function renderTemplate(source: TemplateSource, options: RenderOptions): Promise<string> {
  if (!source.text.includes("{{")) return source.text;
  const { GoTemplates } = await import("./go-template.js");
  return new GoTemplates(options).render(source);
}
