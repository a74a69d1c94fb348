import { createHmac, randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { compare } from "bcryptjs";
import { messageOf, WerfError } from "../../core/errors.js";
import type { WerfEvent } from "../../core/events.js";
import { ProtocolError } from "./answer.js";

/** bcrypt as `htpasswd -B` writes it: version, cost, 22 digits of salt and 31 of the hash. */
const bcryptPattern = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** Each step doubles the work of a login; 16 is some ten seconds. */
const maxCost = 16;
/** What is compared for a user who isn't there has a hash of nothing in particular. */
const nobodysHash = "/u5OA/V2rHlZHVLAqSXz9.zgxaMgICdJfFHBnaxbWoN8M7mLRz4Uu";
const maxComparisons = 32;
const maxRemembered = 1000;
/** A file that changed so lately may change again within the same tick of the file system's clock. */
const settledMs = 100;

/** Users and their bcrypt hashes. */
type Entries = ReadonlyMap<string, string>;

interface Loaded {
  readonly version: string;
  readonly entries: Entries;
  readonly nobody: string;
}

/**
 * Users of an htpasswd file with bcrypt hashes, read again when it changes. A file that can't be read any more leaves
 * the users as they were, with a warning.
 */
export class PasswordFile {
  readonly #path: string;
  readonly #emit: (event: WerfEvent) => void;
  /** Passwords that were right, as MACs under a key of this process: bcrypt is slow on purpose. */
  readonly #remembered = new Set<string>();
  readonly #key = randomBytes(32);
  #loaded: Loaded;
  #comparing = 0;

  private constructor(path: string, emit: (event: WerfEvent) => void, loaded: Loaded) {
    this.#path = path;
    this.#emit = emit;
    this.#loaded = loaded;
  }

  /** @throws WerfError `embedded-registry/htpasswd-invalid` */
  static async open(path: string, emit: (event: WerfEvent) => void): Promise<PasswordFile> {
    return new PasswordFile(path, emit, await load(path, await versionOf(path)));
  }

  /**
   * RFC 7617.
   * @throws ProtocolError UNAUTHORIZED; TOOMANYREQUESTS while too many passwords are compared at once
   */
  async authenticate(request: IncomingMessage): Promise<void> {
    const given = readBasic(request.headers.authorization);
    if (given === undefined) throw unauthorized("authentication required");
    await this.#reload();
    const { entries, nobody } = this.#loaded;
    const hash = entries.get(given.user) ?? nobody;
    const proof = createHmac("sha256", this.#key)
      .update(JSON.stringify([given.user, given.password, hash]))
      .digest("base64");
    if (this.#remembered.has(proof)) return;
    if (!(await this.#compare(given.password, hash)) || !entries.has(given.user)) {
      throw unauthorized("wrong user name or password");
    }
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.add(proof);
  }

  async #compare(password: string, hash: string): Promise<boolean> {
    if (this.#comparing >= maxComparisons) {
      throw new ProtocolError(429, "TOOMANYREQUESTS", "too many logins at once", {
        headers: { "retry-after": "1" },
      });
    }
    this.#comparing += 1;
    try {
      return await compare(password, hash);
    } finally {
      this.#comparing -= 1;
    }
  }

  async #reload(): Promise<void> {
    try {
      const version = await versionOf(this.#path);
      if (version === this.#loaded.version) return;
      this.#loaded = await load(this.#path, version);
      // The MACs hold the hash: what changed isn't found any more, and needn't be kept.
      this.#remembered.clear();
    } catch (error) {
      const message = `${messageOf(error)}; the users stay as they were`;
      this.#emit({ code: "warning", id: "embedded-registry/htpasswd-stale", message });
    }
  }
}

async function versionOf(path: string): Promise<string> {
  try {
    const { ino, size, ctimeNs, mtimeNs } = await stat(path, { bigint: true });
    const settled = Date.now() - Number(ctimeNs / 1_000_000n) > settledMs;
    return [ino, size, ctimeNs, mtimeNs, ...(settled ? [] : [randomBytes(8).toString("hex")])].join();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function load(path: string, version: string): Promise<Loaded> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  const entries = parseEntries(text, path);
  // As slow as the slowest of those who are there: who asks for nobody doesn't learn it from the time.
  const costs = [...entries.values()].map((hash) => hash.slice(4, 6)).sort();
  return { version, entries, nobody: `$2b$${costs.at(-1) ?? "05"}$${nobodysHash}` };
}

function unreadable(path: string, cause: unknown): WerfError {
  return new WerfError("embedded-registry/htpasswd-invalid", `can't read ${path}: ${messageOf(cause)}`, {
    cause,
  });
}

function parseEntries(text: string, path: string): Entries {
  const entries = new Map<string, string>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const hash = line.slice(colon + 1).trimEnd();
    const cost = Number(bcryptPattern.exec(hash)?.[1]);
    if (colon < 1 || !(cost >= 4 && cost <= maxCost)) {
      // Never the line itself: it may hold a password.
      throw new WerfError(
        "embedded-registry/htpasswd-invalid",
        `${path}:${i + 1} is not USER:HASH with a bcrypt hash of cost 4 to ${maxCost}`,
        { hint: `htpasswd -B ${path} USER writes such lines` },
      );
    }
    entries.set(line.slice(0, colon), hash);
  }
  return entries;
}

function readBasic(
  header: string | undefined,
): { readonly user: string; readonly password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(header ?? "");
  const text = Buffer.from(match?.[1] ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function unauthorized(message: string): ProtocolError {
  return new ProtocolError(401, "UNAUTHORIZED", message, {
    headers: { "www-authenticate": 'Basic realm="werf registry", charset="UTF-8"' },
  });
}
