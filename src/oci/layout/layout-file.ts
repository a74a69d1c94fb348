import { WerfError } from "../../core/errors.js";
import { parseJsonObject } from "../manifest.js";

/** image-layout.md, "oci-layout file". */
export const layoutFileName = "oci-layout";
export const layoutFileBytes: Uint8Array = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
/** More than any such file has. */
export const maxLayoutFileBytes: number = 64 * 1024;

/** @throws WerfError `oci/layout-invalid` when this isn't a layout of a version that we know */
export function checkLayoutFile(bytes: Uint8Array, source: string): void {
  const version = parseJsonObject(bytes, `${source}: ${layoutFileName}`)["imageLayoutVersion"];
  if (typeof version === "string" && version.startsWith("1.")) return;
  throw new WerfError(
    "oci/layout-invalid",
    `${source} is an OCI image layout of the version ${JSON.stringify(version)}; only 1.x is known`,
    { hint: "write it with a tool that makes layouts of version 1.0.0" },
  );
}

/** The error for what has no `oci-layout` file or no `index.json`. */
export function notALayout(source: string, missing: string): WerfError {
  return new WerfError("oci/layout-invalid", `${source} is not an OCI image layout: it has no ${missing}`, {
    hint: "check the path; a layout has oci-layout, index.json and blobs at its top",
  });
}
