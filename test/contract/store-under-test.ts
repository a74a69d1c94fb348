import { test } from "vitest";
import type { Store } from "../../src/oci/store.js";

/** What not every store can do. */
export type StoreAbility =
  | "mount"
  | "referrers"
  | "sha512"
  | "empty-blob"
  /** A manifest is refused while what it lists is missing. */
  | "checks-children"
  /** The same blob may be written by several at once. */
  | "concurrent-writes"
  | "many-tags"
  | "delete-manifest"
  | "delete-tag";

export interface StoreUnderTest {
  readonly store: Store;
  /** Another repository of the same place. */
  readonly second?: Store;
  readonly capabilities?: StoreCapabilities;
  dispose(): Promise<void>;
}

export interface StoreCapabilities {
  /** What it can't do, and why: the reason of the skip. Absent: it can. */
  readonly lacks?: Partial<Record<StoreAbility, string>>;
  /** How many tags are written to see them all listed. Default 250. */
  readonly manyTags?: number;
}

export type Fixture = () => StoreUnderTest;

/** Registers a test of one or more abilities, skipped with the store's own reason where it lacks it. */
export function testAbility(
  abilities: StoreAbility | readonly StoreAbility[],
  title: string,
  fixture: Fixture,
  body: (under: StoreUnderTest) => Promise<void>,
): void {
  test(title, async ({ skip }) => {
    const lacks = fixture().capabilities?.lacks;
    const reason = [abilities]
      .flat()
      .map((ability) => lacks?.[ability])
      .find((found) => found !== undefined);
    skip(reason !== undefined, reason);
    await body(fixture());
  });
}
