import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/run-context.js";
import type { DigestAlgorithm } from "../../oci/digest.js";
import type { Staging } from "../store/files.js";
import { StagedBlob } from "../store/staged-blob.js";
import { ProtocolError } from "./answer.js";

/** Each holds a file open. */
export const maxUploads = 2000;

/** An upload under way: its id is the secret of who began it. */
export interface UploadSession {
  readonly id: string;
  readonly name: string;
  readonly staged: StagedBlob;
}

interface Entry extends UploadSession {
  /** Milliseconds since the epoch. */
  lastUsed: number;
  busy: boolean;
}

/** Uploads between their POST and their PUT. One that isn't used for `expiryMs` goes, and its file with it. */
export class UploadSessions {
  readonly #staging: Staging;
  readonly #clock: Clock;
  readonly #expiryMs: number;
  readonly #limit: number;
  readonly #entries = new Map<string, Entry>();
  /** Uploads that need no session, or that wait for their file. */
  #others = 0;

  constructor(staging: Staging, clock: Clock, expiryMs: number, limit: number) {
    this.#staging = staging;
    this.#clock = clock;
    this.#expiryMs = expiryMs;
    this.#limit = limit;
  }

  /** How many have begun and not ended. */
  get count(): number {
    return this.#entries.size + this.#others;
  }

  /**
   * Works on an upload that needs no session.
   * @throws ProtocolError TOOMANYREQUESTS
   */
  async atOnce<T>(work: () => Promise<T>): Promise<T> {
    await this.sweep();
    if (this.count >= this.#limit) {
      throw new ProtocolError(429, "TOOMANYREQUESTS", `${this.#limit} uploads are under way`, {
        headers: { "retry-after": "5" },
      });
    }
    this.#others += 1;
    try {
      return await work();
    } finally {
      this.#others -= 1;
    }
  }

  /** @throws ProtocolError TOOMANYREQUESTS */
  start(name: string, algorithm: DigestAlgorithm): Promise<UploadSession> {
    return this.atOnce(() => this.#open(name, algorithm));
  }

  async #open(name: string, algorithm: DigestAlgorithm): Promise<UploadSession> {
    const staged = await StagedBlob.create(this.#staging, algorithm);
    const entry = { id: randomUUID(), name, staged, lastUsed: this.#now(), busy: false };
    this.#entries.set(entry.id, entry);
    return entry;
  }

  /**
   * Works on a session, one request at a time.
   * @throws ProtocolError BLOB_UPLOAD_UNKNOWN; BLOB_UPLOAD_INVALID (409) while another request writes to it
   */
  async use<T>(name: string, id: string, work: (session: UploadSession) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.name !== name || this.#isExpired(entry)) {
      throw new ProtocolError(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    }
    if (entry.busy) {
      throw new ProtocolError(409, "BLOB_UPLOAD_INVALID", "another request writes to this upload");
    }
    entry.busy = true;
    try {
      return await work(entry);
    } finally {
      entry.busy = false;
      entry.lastUsed = this.#now();
    }
  }

  /** Ends a session; what wasn't adopted by a repository is gone. */
  async end(session: UploadSession): Promise<void> {
    this.#entries.delete(session.id);
    await session.staged.discard();
  }

  async sweep(): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      if (this.#isExpired(entry)) await this.end(entry);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.end(entry)));
  }

  #isExpired(entry: Entry): boolean {
    return !entry.busy && this.#now() - entry.lastUsed > this.#expiryMs;
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}
