import type { Redactor } from "./run-context.js";

const minSecretLength = 4;

/** Replaces every registered secret, and its URL- and base64-encoded forms, by `***`. */
export function createRedactor(): Redactor {
  const forms = new Set<string>();
  let longestFirst: string[] = [];
  return {
    add(secret: string): void {
      if (secret.length < minSecretLength || forms.has(secret)) return;
      forms.add(secret);
      forms.add(encodeURIComponent(secret));
      forms.add(Buffer.from(secret).toString("base64"));
      longestFirst = [...forms].sort((a, b) => b.length - a.length);
    },
    redact(text: string): string {
      let result = text;
      for (const form of longestFirst) {
        if (result.includes(form)) result = result.replaceAll(form, "***");
      }
      return result;
    },
  };
}
