import { posix } from "node:path";
import { WerfError } from "../../../core/errors.js";
import type { Healthcheck, RuntimeConfig } from "../../../oci/image-config.js";
import type {
  CommandForm,
  HealthcheckFacts,
  Instruction,
  SourcePosition,
} from "../../dockerfile/instruction.js";
import { scratchEnvironment } from "../../dockerfile/scope.js";

/** What an image FROM scratch begins with. */
export const scratchConfig: RuntimeConfig = { Env: [...scratchEnvironment], WorkingDir: "/" };

const defaultShell: readonly string[] = ["/bin/sh", "-c"];

/** Instructions that change how the image runs, and none of its files. */
export type ConfigInstruction = Exclude<
  Instruction,
  { readonly kind: "copy" | "add" | "run" | "arg" | "maintainer" }
>;

type Handlers = {
  readonly [Kind in ConfigInstruction["kind"]]: (
    before: RuntimeConfig,
    instruction: Extract<ConfigInstruction, { readonly kind: Kind }>,
    cmdIsOwn: boolean,
  ) => RuntimeConfig;
};

const handlers: Handlers = {
  env: (before, { pairs }) => ({ ...before, Env: withEnvironment(before.Env ?? [], pairs) }),
  label: (before, { pairs }) => ({
    ...before,
    Labels: { ...before.Labels, ...Object.fromEntries(pairs.map(({ key, value }) => [key, value])) },
  }),
  workdir: (before, { path }) => ({ ...before, WorkingDir: workingDirectory(before, path) }),
  user: (before, { user }) => ({ ...before, User: user }),
  expose: (before, { ports, position }) => ({
    ...before,
    ExposedPorts: {
      ...before.ExposedPorts,
      ...emptyObjects(ports.flatMap((port) => exposedPorts(port, position))),
    },
  }),
  volume: (before, { paths, position }) => {
    if (paths.includes("")) throw invalid(position, "a VOLUME has an empty path");
    return { ...before, Volumes: { ...before.Volumes, ...emptyObjects(paths) } };
  },
  entrypoint: (before, instruction, cmdIsOwn) => {
    const { Cmd, ...rest } = before;
    const kept = cmdIsOwn && Cmd !== undefined ? { Cmd } : {};
    return { ...rest, ...kept, Entrypoint: argumentsOf(instruction, before) };
  },
  cmd: (before, instruction) => ({ ...before, Cmd: argumentsOf(instruction, before) }),
  shell: (before, { argv }) => ({ ...before, Shell: [...argv] }),
  stopsignal: (before, { signal, position }) => ({ ...before, StopSignal: stopSignal(signal, position) }),
  healthcheck: (before, facts) => ({ ...before, Healthcheck: healthcheck(facts) }),
  onbuild: (before, { trigger }) => ({ ...before, OnBuild: [...(before.OnBuild ?? []), trigger] }),
};

/**
 * The configuration after an instruction; the given one stays as it is. `cmdIsOwn`: the stage has set CMD, so
 * that an ENTRYPOINT after it doesn't drop it.
 * @throws WerfError `build/instruction-invalid`
 */
export function applyToConfig(
  before: RuntimeConfig,
  instruction: ConfigInstruction,
  cmdIsOwn: boolean,
): RuntimeConfig {
  const handler = handlers[instruction.kind] as (
    before: RuntimeConfig,
    instruction: ConfigInstruction,
    cmdIsOwn: boolean,
  ) => RuntimeConfig;
  return handler(before, instruction, cmdIsOwn);
}

function healthcheck(facts: HealthcheckFacts): Healthcheck {
  const { test, intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = facts;
  return {
    Test: [...test],
    ...(intervalNs === undefined ? {} : { Interval: intervalNs }),
    ...(timeoutNs === undefined ? {} : { Timeout: timeoutNs }),
    ...(startPeriodNs === undefined ? {} : { StartPeriod: startPeriodNs }),
    ...(startIntervalNs === undefined ? {} : { StartInterval: startIntervalNs }),
    ...(retries === undefined ? {} : { Retries: retries }),
  };
}

/** Where WORKDIR leads: relative to the one before, without a slash at the end. */
export function workingDirectory(before: RuntimeConfig, path: string): string {
  return posix.resolve("/", before.WorkingDir ?? "", path);
}

function withEnvironment(
  before: readonly string[],
  pairs: readonly { readonly key: string; readonly value: string }[],
): string[] {
  const environment = [...before];
  for (const { key, value } of pairs) {
    const at = environment.findIndex((entry) => entry.startsWith(`${key}=`) || entry === key);
    if (at < 0) environment.push(`${key}=${value}`);
    else environment[at] = `${key}=${value}`;
  }
  return environment;
}

function argumentsOf(command: CommandForm, { Shell }: RuntimeConfig): string[] {
  return command.form === "exec" ? [...command.argv] : [...(Shell ?? defaultShell), command.command];
}

function emptyObjects(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

const maxPort = 65_535;

/** `80`, `80/udp`, `8000-8010/tcp`; a host port before a colon says nothing to an image. */
function exposedPorts(text: string, position: SourcePosition): string[] {
  const match = /^(?:.*:)?(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const [, first = "", last = first, protocol = "tcp"] = match ?? [];
  const from = Number(first);
  const to = Number(last);
  if (match === null || to > maxPort || from > to)
    throw invalid(position, `EXPOSE ${text} is not a port`, "write 80, 80/udp or 8000-8010/tcp");
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${protocol.toLowerCase()}`);
}

const signals = new Set(
  (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM " +
    "TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
  ).split(" "),
);
const lastSignal = 64;

/** A signal of Linux by name, with or without SIG, or by number; kept as written. */
function stopSignal(text: string, position: SourcePosition): string {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RTM(?:IN\+|AX-)\d{1,2}$/.test(name);
  const number = /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= lastSignal;
  if (signals.has(name) || realTime || number) return text;
  throw invalid(position, `STOPSIGNAL ${text} is not a signal`, "write a name as SIGTERM or a number");
}

function invalid({ file, line }: SourcePosition, what: string, hint?: string): WerfError {
  return new WerfError(
    "build/instruction-invalid",
    `${file}:${line}: ${what}`,
    hint === undefined ? {} : { hint },
  );
}
