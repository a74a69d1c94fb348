import { WerfError } from "../../core/errors.js";
import type { RepositoryName } from "../../oci/reference.js";
import { defaultRegistry } from "./default.js";
import type { Vendor } from "./vendor.js";

/** The table: the first certain row wins, then the first possible one. */
const vendors: readonly Vendor[] = [defaultRegistry];

/**
 * The vendor of an address, or the one named by `override`.
 * @throws WerfError `registry/vendor-unknown`
 */
export function detectVendor(repository: RepositoryName, override?: string): Vendor {
  if (override !== undefined && override !== "") {
    const named = vendors.find((vendor) => vendor.id === override);
    if (named !== undefined) return named;
    throw new WerfError(
      "registry/vendor-unknown",
      `there is no container registry implementation "${override}"`,
      {
        hint: `one of: ${vendors.map((vendor) => vendor.id).join(", ")}`,
        exitCode: 2,
      },
    );
  }
  const answers = vendors.map((vendor) => ({
    vendor,
    match: vendor.match(repository.host, repository.name),
  }));
  const best = answers.find((a) => a.match === "certain") ?? answers.find((a) => a.match === "possible");
  return best?.vendor ?? defaultRegistry;
}
