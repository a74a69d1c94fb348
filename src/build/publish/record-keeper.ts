import type { RecordWriter } from "../../records/record-writer.js";
import type { Snapshot } from "../../records/snapshot.js";

/** Writes records that aren't there yet, each once a run. */
export interface RecordKeeper {
  /** Unless the listing showed it, or this run wrote it. */
  ensure(tag: string): Promise<void>;
  /** Over one that is there. */
  replace(tag: string, labels: Readonly<Record<string, string>>): Promise<void>;
}

export function createRecordKeeper(writer: RecordWriter, snapshot: Snapshot): RecordKeeper {
  const writing = new Map<string, Promise<void>>();
  return {
    ensure(tag) {
      if (snapshot.tags.has(tag)) return Promise.resolve();
      const write = writing.get(tag) ?? writer.write(tag);
      writing.set(tag, write);
      return write;
    },
    replace: (tag, labels) => writer.write(tag, labels),
  };
}

/** For a store that keeps no records: the local one. */
export const noRecords: RecordKeeper = { ensure: async () => undefined, replace: async () => undefined };
