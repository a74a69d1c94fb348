import { WerfError } from "../../core/errors.js";

/** How a shell, or a program that reads a file of variables, wants them written. */
export interface Syntax {
  /** Of a file that it takes, with the dot. */
  readonly extension: string;
  readonly lineEnd: "\n" | "\r\n";
  /**
   * One assignment, whatever the value holds.
   * @throws WerfError `ci-env/value-impossible` where the form can't hold it
   */
  assign(name: string, value: string): string;
  /** `text` has only characters that `shownValue` lets through, and those of an assignment. */
  comment(text: string): string;
  /** Shows a line when the script runs; `undefined` in a file that isn't run. */
  readonly echo: ((text: string) => string) | undefined;
  /** What stands first when values are not all ASCII. */
  readonly unicodeLine?: string;
}

/** A value in a comment or in a log line: never something that a shell could take for more than text. */
export function shownValue(value: string): string {
  return /^[\w ./:@=+,-]*$/.test(value) ? value : "...";
}

export function impossible(name: string, form: string, what: string, hint: string): WerfError {
  return new WerfError("ci-env/value-impossible", `${name}: ${form} can't hold a value with ${what}`, {
    hint,
  });
}
