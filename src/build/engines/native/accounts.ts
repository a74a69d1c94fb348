import { WerfError } from "../../../core/errors.js";
import type { SourcePosition } from "../../dockerfile/instruction.js";
import type { Ownership } from "./image-tree.js";
import type { StageFiles } from "./stage-files.js";

const maxAccountsBytes = 4 * 1024 * 1024;
const maxId = 0xffff_fffe;

/**
 * `user`, `user:group` or `:group`, by number, or by name in the image's /etc/passwd and /etc/group. A number
 * alone is the group too; a name alone takes the user's own group.
 * https://docs.docker.com/reference/dockerfile/#copy---chown---chmod
 * @throws WerfError `build/account-unknown`
 */
export async function ownershipOf(
  text: string,
  files: StageFiles,
  position: SourcePosition,
): Promise<Ownership> {
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? "" : text.slice(colon + 1);
  const byUser = user === "" ? { uid: 0, gid: 0 } : await userOf(user, files, position);
  return group === "" ? byUser : { uid: byUser.uid, gid: await groupOf(group, files, position) };
}

async function userOf(user: string, files: StageFiles, position: SourcePosition): Promise<Ownership> {
  const id = numeric(user);
  if (id !== undefined) return { uid: id, gid: id };
  const passwd = (await files.readText("etc/passwd", maxAccountsBytes)) ?? "";
  const [, , uid = "", gid = ""] = lineOf(passwd, user) ?? [];
  const found = { uid: numeric(uid), gid: numeric(gid) };
  if (found.uid !== undefined && found.gid !== undefined) return { uid: found.uid, gid: found.gid };
  throw unknown("user", user, "/etc/passwd", position);
}

async function groupOf(group: string, files: StageFiles, position: SourcePosition): Promise<number> {
  const id = numeric(group);
  if (id !== undefined) return id;
  const text = (await files.readText("etc/group", maxAccountsBytes)) ?? "";
  const gid = numeric(lineOf(text, group)?.[2] ?? "");
  if (gid !== undefined) return gid;
  throw unknown("group", group, "/etc/group", position);
}

function lineOf(text: string, name: string): readonly string[] | undefined {
  return text
    .split("\n")
    .map((line) => line.trim().split(":"))
    .find(([first]) => first === name);
}

function numeric(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= maxId ? Number(text) : undefined;
}

function unknown(
  what: string,
  name: string,
  file: string,
  { file: dockerfile, line }: SourcePosition,
): WerfError {
  return new WerfError(
    "build/account-unknown",
    `${dockerfile}:${line}: the ${what} "${name}" is not in ${file} of the image`,
    {
      hint: `write its number, or make the ${what} in the base image`,
    },
  );
}
