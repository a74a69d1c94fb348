import { WerfError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { dockerTagSlug, namespaceSlug, releaseSlug } from "../../records/slug.js";
import { defineCommand, type RunCommand } from "./command.js";

const formats: Readonly<Record<string, (text: string) => string>> = {
  "helm-release": releaseSlug,
  r: releaseSlug,
  "kubernetes-namespace": namespaceSlug,
  ns: namespaceSlug,
  "docker-tag": dockerTagSlug,
  tag: dockerTagSlug,
};

export const slugify: RunCommand = defineCommand({
  arguments: "<STRING>",
  options: ["slugFormat"],
  description: [
    "Prints the text as it is where it is valid, else what is left of it with a hash of all of it behind: the same text always gives the same name, and different texts give different ones.",
  ],
  examples: [
    "werf slugify -f kubernetes-namespace My_branch   # my-branch-8ebf2d1d",
    "werf slugify -f docker-tag helo/ehlo             # helo-ehlo-b6f6ab1f",
  ],
  async execute(_run, { options: { slugFormat }, args: [text = ""], output }) {
    output.line(formatOf(slugFormat)(text));
  },
});

function formatOf(name: string | undefined): (text: string) => string {
  const format = name !== undefined && Object.hasOwn(formats, name) ? formats[name] : undefined;
  if (format !== undefined) return format;
  const names = Object.keys(formats);
  const message =
    name === undefined
      ? "--format=NAME is required"
      : `--format: "${name}" is no format${didYouMean(name, names)}`;
  throw new WerfError("cli/option-invalid", message, { hint: `there are: ${names.join(", ")}`, exitCode: 2 });
}
