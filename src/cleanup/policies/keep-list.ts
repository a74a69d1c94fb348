import { WerfError } from "../../core/errors.js";
import { isTag } from "../../oci/reference.js";
import type { CleanupFacts } from "../facts.js";
import type { Policy } from "./policy.js";

/** Keeps the stages that a file names: by their tag, or by a custom tag that stands for one. */
export const keepList: Policy = {
  id: "keep-list",
  keepsRejected: true,
  *protect({ facts }) {
    const aliases = stagesOfCustomTags(facts);
    for (const tag of facts.keepList) {
      yield { stage: aliases.get(tag) ?? tag, reason: "keep list", evidence: `the keep list has ${tag}` };
    }
  },
};

function stagesOfCustomTags(facts: CleanupFacts): Map<string, string> {
  const records = (facts.meta ?? facts.primary).customTags.values();
  return new Map([...records].map(({ customTag, stage }) => [customTag, stage]));
}

/**
 * Reads a keep list: one tag a line, blank lines don't count.
 * @throws WerfError `cleanup/keep-list` for a line that is no tag
 */
export function parseKeepList(text: string, file: string): string[] {
  const tags: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const tag = line.trim();
    if (tag === "") continue;
    if (!isTag(tag)) {
      throw new WerfError(
        "cleanup/keep-list",
        `${file}, line ${index + 1}: ${JSON.stringify(tag.slice(0, 160))} is not a tag`,
        {
          hint: "a keep list has one tag a line, without the name of the repository",
          exitCode: 2,
        },
      );
    }
    tags.push(tag);
  }
  return tags;
}
