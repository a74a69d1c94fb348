import type { Vendor } from "./vendor.js";

/**
 * Any registry that speaks the distribution API: CNCF distribution 2.8 and 3, zot, and whatever has no row of
 * its own. distribution 3 and zot delete a tag by its name; distribution 2.8 answers 400.
 */
export const defaultRegistry: Vendor = {
  id: "default",
  title: "Docker Registry / OCI distribution",
  match: () => "possible",
  async connect({ registry }) {
    return {
      deletion: {
        deleteTag: await registry.probeTagDeletion(),
        lastTag: "keeps-manifest",
        deleteManifest: "drops-tags",
        deleteChild: "allowed",
        cascades: [],
        batchSize: 1,
      },
    };
  },
};
