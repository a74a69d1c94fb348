import { parseDurationMs } from "../../core/duration.js";
import { isWerfError } from "../../core/errors.js";
import { compileRe2 } from "../../core/re2.js";
import { nearest } from "../../core/suggest.js";
import type { CleanupConfig, KeepLimit, KeepPolicy } from "../model.js";
import type { MapReader } from "./map-reader.js";

/** `cleanup` of the project. Unlike werf we also refuse unknown keys and operators in `imagesPerReference`. */
export function validateCleanup(reader: MapReader | undefined): CleanupConfig {
  const result: CleanupConfig = {
    disable: reader?.boolean("disable") ?? false,
    disableKubernetesBasedPolicy: reader?.boolean("disableKubernetesBasedPolicy") ?? false,
    disableGitHistoryBasedPolicy: reader?.boolean("disableGitHistoryBasedPolicy") ?? false,
    disableBuiltWithinLastNHoursPolicy: reader?.boolean("disableBuiltWithinLastNHoursPolicy") ?? false,
    keepImagesBuiltWithinLastNHours: reader?.integer("keepImagesBuiltWithinLastNHours", 0) ?? 2,
    keepPolicies: reader?.maps("keepPolicies").flatMap(readPolicy) ?? [],
  };
  reader?.close();
  return result;
}

function readPolicy(policy: MapReader): KeepPolicy[] {
  const references = policy.map("references");
  const images = policy.map("imagesPerReference");
  const imagesPerReference = images === undefined ? undefined : readLimit(images);
  if (policy.close() && !policy.has("references")) {
    policy.problem(undefined, `${policy.title} needs "references"`);
  }
  if (references === undefined) return [];
  const read = readReferences(references);
  if (read === undefined) return [];
  return [{ references: read, ...(imagesPerReference === undefined ? {} : { imagesPerReference }) }];
}

function readReferences(reader: MapReader): KeepPolicy["references"] | undefined {
  const tag = reader.string("tag");
  const branch = reader.string("branch");
  const limitMap = reader.map("limit");
  const limit = limitMap === undefined ? undefined : readLimit(limitMap);
  const complete = reader.close();
  if (tag !== undefined && branch !== undefined) {
    reader.problem("tag", `${reader.title} has both "tag" and "branch"; write a policy for each`);
    return undefined;
  }
  const kind = tag === undefined ? "branch" : "tag";
  const source = tag ?? branch;
  if (source === undefined) {
    if (complete && !reader.has("tag") && !reader.has("branch")) {
      reader.problem(undefined, `${reader.title} needs "tag" or "branch"`);
    }
    return undefined;
  }
  const pattern = readPattern(reader, kind, source);
  return pattern === undefined
    ? undefined
    : { kind, pattern, source, ...(limit === undefined ? {} : { limit }) };
}

/** A text is that name; `/…/` is an expression of Go. Both match the whole name. */
function readPattern(reader: MapReader, key: string, source: string): RegExp | undefined {
  const expression = source.startsWith("/") && source.endsWith("/") ? source.slice(1, -1) : undefined;
  if (source === "" || expression === "") {
    reader.problemAtValue(key, `${reader.title}.${key} is empty and would match nothing; write /.*/ for all`);
    return undefined;
  }
  if (expression === undefined)
    return new RegExp(`^(?:${source.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")})$`, "u");
  return attempt(reader, key, () => compileRe2(expression));
}

function readLimit(reader: MapReader): KeepLimit {
  const last = reader.integer("last");
  const duration = reader.string("in");
  const inMs = duration === undefined ? undefined : attempt(reader, "in", () => parseDurationMs(duration));
  if (inMs !== undefined && inMs < 0) {
    reader.problemAtValue("in", `${reader.title}.in must not be negative: ${duration}`);
  }
  const operator = reader.string("operator") ?? "And";
  if (operator !== "And" && operator !== "Or") {
    const written = nearest(operator, ["And", "Or"]);
    const guess = written === undefined ? "" : `; did you mean ${written}?`;
    reader.problemAtValue(
      "operator",
      `${reader.title}.operator must be And or Or, not "${operator}"${guess}`,
    );
  }
  reader.close();
  return {
    operator: operator === "Or" ? "Or" : "And",
    ...(last === undefined ? {} : { last }),
    ...(inMs === undefined ? {} : { inMs }),
  };
}

/** Turns the failure of a parser into a problem of the file. */
function attempt<T>(reader: MapReader, key: string, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!isWerfError(error)) throw error;
    const hint = error.hint === undefined ? "" : `; ${error.hint}`;
    reader.problemAtValue(key, `${reader.title}.${key}: ${error.message}${hint}`);
    return undefined;
  }
}
