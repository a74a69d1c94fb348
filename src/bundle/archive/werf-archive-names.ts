import { isTag } from "../../oci/reference.js";

/** The chart in an archive of werf: what `helm package` makes. */
export const chartEntry = "chart.tar.gz";

/** The tag of the image that an entry holds; `undefined` when it is no image. */
export function imageEntry(name: string): string | undefined {
  const tag = /^images\/([^/]+)\.tar\.gz$/.exec(name)?.[1];
  return tag !== undefined && isTag(tag) ? tag : undefined;
}
