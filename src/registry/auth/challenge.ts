/** One way to authenticate that a server offers: RFC 9110, 11.6.1. Names are lower-case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const tokenCharacters = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const token68 = /[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y;

/**
 * Reads `WWW-Authenticate`, also several challenges in one value (or several headers joined by commas) and
 * quoted commas. What can't be read ends the list: a part of an answer is no reason to fail.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const reader = new Reader(header);
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  for (;;) {
    reader.skip(/[\s,]*/y);
    const name = reader.take(tokenCharacters);
    if (name === undefined) return challenges;
    const current = challenges.at(-1);
    reader.skip(/\s*/y);
    if (current !== undefined && reader.take(/=/y) !== undefined) {
      const value = reader.value();
      if (value === undefined) return challenges;
      current.parameters[name.toLowerCase()] ??= value;
    } else {
      challenges.push({ scheme: name.toLowerCase(), parameters: {} });
      reader.take(token68);
    }
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  skip(pattern: RegExp): void {
    this.take(pattern);
  }

  value(): string | undefined {
    this.skip(/\s*/y);
    const quoted = this.take(/"(?:[^"\\]|\\.)*"/y);
    return quoted === undefined ? this.take(tokenCharacters) : quoted.slice(1, -1).replace(/\\(.)/g, "$1");
  }
}
