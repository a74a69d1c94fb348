import { WerfError } from "../../core/errors.js";

/**
 * `SOURCE_DATE_EPOCH` of https://reproducible-builds.org/specs/source-date-epoch: when images are to say that they
 * were made. @throws WerfError `build/source-date`
 */
export function sourceDate(env: Readonly<Record<string, string | undefined>>): Date | undefined {
  const text = env["SOURCE_DATE_EPOCH"] ?? "";
  if (text === "") return undefined;
  if (/^\d{1,12}$/.test(text)) return new Date(Number(text) * 1000);
  throw new WerfError(
    "build/source-date",
    `SOURCE_DATE_EPOCH: "${text}" is not a number of seconds since 1970`,
    { exitCode: 2 },
  );
}
