import { createHash } from "node:crypto";

/** SHA3-224 of a text: 56 hexadecimal digits, the form of a stage's digest. */
export function sha3(text: string): string {
  return createHash("sha3-224").update(text).digest("hex");
}
