import { pino, type DestinationStream } from "pino";
import type { Scrubber } from "./scrubber.ts";

/** The only fields that a line may have. What is not listed is left out: a new one is a decision, not an accident. */
const allowed = [
  "address",
  "attempt",
  "check",
  "code",
  "command",
  "consumer",
  "count",
  "credential",
  "error",
  "hits",
  "home",
  "kind",
  "method",
  "ms",
  "namespace",
  "operation",
  "phase",
  "pid",
  "pool",
  "queue",
  "reason",
  "rotation",
  "route",
  "signal",
  "status",
  "step",
  "token",
  "workflow",
] as const;

export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** One line: an event of a closed vocabulary, `<noun>.<verb>`, and plain fields. */
export interface Log {
  (event: string, fields?: LogFields): void;
  readonly debug: (event: string, fields?: LogFields) => void;
  readonly warn: (event: string, fields?: LogFields) => void;
  readonly error: (event: string, fields?: LogFields) => void;
}

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  readonly scrubber: Scrubber;
  /** Default: standard error, written at once, so that the last line before a crash is there. */
  readonly destination?: DestinationStream;
}

/** JSON lines with allow-listed fields, each through the scrubber. */
export function createLog({ level, scrubber, destination }: LogOptions): Log {
  const out = destination ?? pino.destination({ fd: 2, sync: true });
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write: (line: string) => {
        out.write(scrubber.scrub(line));
      },
    },
  );
  const log = (event: string, fields?: LogFields) => logger.info({ event, ...pick(fields) });
  return Object.assign(log, {
    debug: (event: string, fields?: LogFields) => logger.debug({ event, ...pick(fields) }),
    warn: (event: string, fields?: LogFields) => logger.warn({ event, ...pick(fields) }),
    error: (event: string, fields?: LogFields) => logger.error({ event, ...pick(fields) }),
  });
}

function pick(fields: LogFields = {}): LogFields {
  const known = allowed.filter((name) => fields[name] !== undefined);
  return Object.fromEntries(
    known.map((name) => [name, name === "error" ? framesOf(fields[name]) : plain(fields[name])]),
  );
}

const plain = (value: LogFields[string] | undefined) => value ?? "";

/** Of an error its kind and where it was; a foreign message may quote anything. */
function framesOf(value: LogFields[string] | undefined): string {
  const lines = String(value).split("\n");
  const [kind = ""] = /^[A-Za-z]\w*/.exec(lines[0] ?? "") ?? [];
  return [kind, ...lines.filter((line) => /^\s+at /.test(line)).map((line) => line.trim())].join(" | ");
}
