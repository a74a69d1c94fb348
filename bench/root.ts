import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The scripts run from a bundle below node_modules/.cache. */
export const root: string = fileURLToPath(new URL("../../../", import.meta.url));
export const werf: string = join(root, "dist/bin/werf.js");
