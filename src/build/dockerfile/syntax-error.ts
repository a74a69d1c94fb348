import { WerfError } from "../../core/errors.js";
import type { SourcePosition } from "./instruction.js";

/** `file:line: message`; the code is `build/dockerfile-syntax`. */
export function syntaxError(position: SourcePosition, message: string, hint?: string): WerfError {
  return new WerfError(
    "build/dockerfile-syntax",
    `${position.file}:${position.line}: ${message}`,
    hint === undefined ? {} : { hint },
  );
}
