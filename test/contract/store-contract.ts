import { afterEach, beforeEach, describe } from "vitest";
import type { Store } from "../../src/oci/store.js";
import { blobTests, mountTests } from "./blob-contract.js";
import { deletionTests } from "./deletion-contract.js";
import { manifestTests, referrerTests, tagTests } from "./manifest-contract.js";
import type { Fixture, StoreUnderTest } from "./store-under-test.js";

export type { StoreUnderTest } from "./store-under-test.js";

/** What every `Store` does, whatever is behind it. `open` gives an empty one to each test. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}: the contract of a store`, () => {
    let subject: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });
    afterEach(async () => {
      await store.close("done");
      await subject.dispose();
    });
    const fixture: Fixture = () => subject;
    blobTests(fixture);
    mountTests(fixture);
    manifestTests(fixture);
    tagTests(fixture);
    referrerTests(fixture);
    deletionTests(fixture);
  });
}
