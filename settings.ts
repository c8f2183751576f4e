import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { embeddedPlace } from "./domain/custody-place.ts";
import { ownNames, refuseListenPlace, type ListenPlace } from "./domain/listen-place.ts";
import { nearestWord } from "./domain/nearest-word.ts";
import {
  custodyEntries,
  entryName,
  flag,
  hostAndPort,
  httpUrl,
  leakVariables,
  listenPlace,
  names,
  noticeSettings,
  noticeVariables,
  path,
  paths,
  port,
  ports,
  programs,
  reloads,
  type CustodyEntry,
  type Program,
  type Reload,
} from "./settings-shapes.ts";
import { readEntries, readText, wrong } from "./settings-files.ts";

export type { CustodyEntry, Program, Reload } from "./settings-shapes.ts";

interface Variable<T extends z.ZodType = z.ZodType> {
  readonly schema: T;
  /** What happens without it, in words where it is not the literal value. */
  readonly whenAbsent: string;
  readonly meaning: string;
  /** May be given as a file instead: the variable's name with `_FILE`, which is the form to prefer. */
  readonly secret?: true;
}

/** Every variable of the environment that rekey reads. Nothing else is read anywhere. */
const variables = {
  DATABASE_URL: {
    schema: z
      .string()
      .regex(/^postgres(ql)?:\/\//, "must begin with postgres://")
      .optional(),
    whenAbsent: "an embedded PostgreSQL in the home folder",
    meaning: "The ledger's PostgreSQL.",
    secret: true,
  },
  TEMPORAL_ADDRESS: {
    schema: hostAndPort.optional(),
    whenAbsent: "an embedded Temporal server in the home folder",
    meaning: "Temporal's frontend, host:port.",
  },
  TEMPORAL_NAMESPACE: {
    schema: z.string().min(1).default("default"),
    whenAbsent: "default",
    meaning: "Temporal's namespace. Writing to it gives no authority over rekey.",
  },
  TEMPORAL_API_KEY_FILE: { schema: path.optional(), whenAbsent: "none", meaning: "A file with Temporal's API key." },
  TEMPORAL_TLS: {
    schema: flag.optional(),
    whenAbsent: "true when an API key or a TLS file is given",
    meaning: "Whether Temporal is reached over TLS.",
  },
  TEMPORAL_TLS_CA_FILE: {
    schema: path.optional(),
    whenAbsent: "the system's",
    meaning: "Certificates (PEM) that sign Temporal's own.",
  },
  TEMPORAL_TLS_CERT_FILE: {
    schema: path.optional(),
    whenAbsent: "none",
    meaning: "Our certificate for Temporal (PEM).",
  },
  TEMPORAL_TLS_KEY_FILE: { schema: path.optional(), whenAbsent: "none", meaning: "The key of that certificate (PEM)." },
  REKEY_HOME: {
    schema: path.default(() => join(homedir(), ".rekey")),
    whenAbsent: "~/.rekey",
    meaning: "The folder with the embedded servers' data, the keys and the token.",
  },
  REKEY_ADDRESS: {
    schema: httpUrl.optional(),
    whenAbsent: "what `rekey up` announced in the home folder, else http://127.0.0.1:7390",
    meaning: "Where the command line finds the API.",
  },
  REKEY_TOKEN_FILE: {
    schema: path.optional(),
    whenAbsent: "the file `token` in the home folder",
    meaning:
      "The file (0600) with the token of the command line; `up`, and the first `serve` of a ledger, write an admin's there.",
  },
  REKEY_PORT: {
    schema: port.default(7390),
    whenAbsent: "7390",
    meaning: "The API's port on the loopback address; 0 takes any that is free.",
  },
  REKEY_LISTEN: {
    schema: listenPlace.optional(),
    whenAbsent: "127.0.0.1 and REKEY_PORT",
    meaning: "Where the API listens, such as 0.0.0.0:7390. Another address than loopback needs TLS.",
  },
  REKEY_TLS_CERT_FILE: {
    schema: path.optional(),
    whenAbsent: "none: the API speaks plain http, on loopback only",
    meaning: "The API's certificate (PEM) with what leads to its authority. One that takes its place counts at once.",
  },
  REKEY_TLS_KEY_FILE: { schema: path.optional(), whenAbsent: "none", meaning: "The key of that certificate (PEM)." },
  REKEY_NAMES: {
    schema: names.default([]),
    whenAbsent: "loopback's, and the one that it listens on",
    meaning: "Host names by which the API is asked, with commas between them. By another it answers nobody.",
  },
  REKEY_CA_FILE: {
    schema: path.optional(),
    whenAbsent: "the system's",
    meaning: "Certificates (PEM) that sign the API's own, for the command line.",
  },
  REKEY_FILE_ROOTS: {
    schema: paths.default([]),
    whenAbsent: "none: a worker writes no file",
    meaning: "Folders below which a worker may write, with colons between them.",
  },
  REKEY_RELOADS_FILE: {
    schema: path.optional(),
    whenAbsent: "none",
    meaning:
      'A JSON file with the ways to reload, by name: `{"name": {"signal": "SIGHUP", "pidFile": "/run/app.pid"}}` or `{"name": {"argv": ["/usr/bin/app", "reload"], "timeoutMs": 5000}}`.',
  },
  REKEY_EXEC_CONSUMERS_FILE: {
    schema: path.optional(),
    whenAbsent: "none: a worker runs no program for a consumer",
    meaning:
      'A JSON file with the programs that serve consumers of the kind exec, by name: `{"name": {"argv": ["/usr/local/bin/serve-target", "/srv/targets"], "uid": 1200, "timeoutMs": 10000}}`. Without `uid` a program runs as the worker\'s user; without `path` its environment is empty.',
  },
  REKEY_EGRESS_LOCAL_PORTS: {
    schema: ports.default([]),
    whenAbsent: "none",
    meaning:
      "Ports on the loopback address at which a challenge, a webhook, a Kubernetes API server, Vault or AWS's endpoints may be reached, the first two also over plain http.",
  },
  REKEY_DOCTOR_LOOK_MS: {
    schema: z.coerce.number("must be milliseconds").int().min(100).max(15_000).default(10_000),
    whenAbsent: "10000",
    meaning:
      "How long one look of `rekey doctor` may take, in milliseconds. All of them take seven times that at most.",
  },
  ...leakVariables,
  REKEY_SWEEP_EVERY_MS: {
    schema: z.coerce.number("must be milliseconds").int().min(1_000).max(3_600_000).default(10_000),
    whenAbsent: "10000",
    meaning: "Between two looks for credentials that are due, in milliseconds; Temporal's schedules know seconds.",
  },
  ...noticeVariables,
  REKEY_TEMPORAL_BIN: {
    schema: path.optional(),
    whenAbsent: "the one on PATH, a downloaded or a built one",
    meaning: "The `temporal` program that `rekey up` starts.",
  },
  REKEY_LOG_LEVEL: {
    schema: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
    whenAbsent: "info",
    meaning: "What `serve` and `worker` write to standard error: debug, info, warn, error or silent.",
  },
  REKEY_CUSTODY_KEY_FILE: {
    schema: path.optional(),
    whenAbsent: "`keys/custody.json` in the home folder",
    meaning: "The keys that values in custody are sealed under. Keep a copy apart from the ledger's backups.",
  },
  REKEY_CUSTODIES_FILE: {
    schema: path.optional(),
    whenAbsent: "none: every value rests sealed in the ledger",
    meaning:
      'A JSON file with further places where values may rest, by name: `{"name": {"kind": "KIND", …}}`, the same for `serve` and every `worker`. What a kind takes is in docs/custody.md.',
  },
  REKEY_CUSTODY_DEFAULT: {
    schema: entryName.default(embeddedPlace),
    whenAbsent: "embedded, which is the ledger itself",
    meaning: "The place of credentials that are registered from now on without `custody` in their manifest.",
  },
  REKEY_FINGERPRINT_KEY_FILE: {
    schema: path.optional(),
    whenAbsent: "`keys/fingerprint.json` in the home folder",
    meaning: "The keys of fingerprints.",
  },
  REKEY_AUDIT_KEY_FILE: {
    schema: path.optional(),
    whenAbsent: "`keys/audit.json` in the home folder",
    meaning: "The key that signs the audit trail's heads.",
  },
  REKEY_FAILPOINT: {
    schema: z.string().optional(),
    whenAbsent: "none",
    meaning: "For the crash tests of this source tree only; the published package has no failpoints.",
  },
} as const satisfies Record<string, Variable>;

type Name = keyof typeof variables;
type Parsed = { readonly [N in Name]: z.output<(typeof variables)[N]["schema"]> };

const table: Readonly<Record<string, Variable>> = variables;
/** Of the test suites; the program itself does not know them. */
const foreignPrefix = "REKEY_TEST_";

export interface Settings {
  readonly databaseUrl: string | undefined;
  readonly temporal: {
    readonly address: string | undefined;
    readonly namespace: string;
    readonly apiKeyFile: string | undefined;
    readonly tls: boolean;
    readonly caFile: string | undefined;
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
    /** For the embedded server. */
    readonly binary: string | undefined;
  };
  readonly home: string;
  readonly address: string | undefined;
  readonly tokenFile: string;
  readonly port: number;
  readonly listen: ListenPlace;
  /** By which the API is asked, besides loopback's. */
  readonly names: readonly string[];
  /** Absent: plain http. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly caFile: string | undefined;
  readonly fileRoots: readonly string[];
  readonly reloads: Readonly<Record<string, Reload>>;
  readonly programs: Readonly<Record<string, Program>>;
  readonly egressLocalPorts: readonly number[];
  readonly doctorLookMs: number;
  readonly leakValuesAMinute: number;
  readonly sweepEveryMs: number;
  /** When endpoints are told, and told again. */
  readonly notices: ReturnType<typeof noticeSettings>;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly keyFiles: { readonly custody: string; readonly fingerprint: string; readonly audit: string };
  /** Places where values may rest besides the ledger, by name. */
  readonly custodies: Readonly<Record<string, CustodyEntry>>;
  /** The place of new credentials. */
  readonly custodyDefault: string;
  readonly failpoint: string | undefined;
}

export interface SettingDescription {
  readonly name: string;
  readonly whenAbsent: string;
  readonly meaning: string;
}

/** Every variable with its default and meaning, for `docs/settings.md`. Secrets stand under their `_FILE` form. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.entries(table).flatMap(([name, { whenAbsent, meaning, secret }]) =>
    secret
      ? [
          { name: `${name}_FILE`, whenAbsent, meaning: `${meaning} A file (0600) that holds the value.` },
          { name, whenAbsent, meaning: `The same, given directly. Others may see it: prefer ${name}_FILE.` },
        ]
      : [{ name, whenAbsent, meaning }],
  );
}

/** A variable that a person's manifest names, on that person's machine. Never a setting of rekey. */
export function readNamedVariable(name: string): string | undefined {
  return process.env[name];
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks the settings; an empty variable counts as absent. `over` are the options of a command line, by the
 * variable that they stand for.
 * @throws {OperatorNeededError} `setting_invalid` for the first variable that is wrong or unknown.
 */
export function readSettings(environment: Environment = process.env, over: Environment = {}): Settings {
  const given: Environment = { ...environment, ...over };
  refuseUnknown(given);
  const parsed = Object.fromEntries(
    Object.entries(table).map(([name, variable]) => [name, parse(name, variable, given)]),
  ) as Parsed;
  return asSettings(parsed);
}

function asSettings(parsed: Parsed): Settings {
  const entriesOf = <Entry>(
    name: "REKEY_CUSTODIES_FILE" | "REKEY_RELOADS_FILE" | "REKEY_EXEC_CONSUMERS_FILE",
    schema: z.ZodType<Readonly<Record<string, Entry>>>,
  ) => readEntries({ name, meaning: variables[name].meaning }, parsed[name], schema);
  const home = parsed.REKEY_HOME;
  const hasTlsFile = [parsed.TEMPORAL_TLS_CA_FILE, parsed.TEMPORAL_TLS_CERT_FILE, parsed.TEMPORAL_API_KEY_FILE].some(
    (file) => file !== undefined,
  );
  if ((parsed.TEMPORAL_TLS_CERT_FILE === undefined) !== (parsed.TEMPORAL_TLS_KEY_FILE === undefined))
    throw wrong("TEMPORAL_TLS_CERT_FILE", "needs TEMPORAL_TLS_KEY_FILE beside it, and the other way round.");
  const custodies = entriesOf("REKEY_CUSTODIES_FILE", custodyEntries);
  const places = [embeddedPlace, ...Object.keys(custodies)];
  if (!places.includes(parsed.REKEY_CUSTODY_DEFAULT))
    throw wrong("REKEY_CUSTODY_DEFAULT", `must be one of ${places.join(", ")}, which REKEY_CUSTODIES_FILE names.`);
  const listen = parsed.REKEY_LISTEN ?? { host: "127.0.0.1", port: parsed.REKEY_PORT };
  const { REKEY_TLS_CERT_FILE: certFile, REKEY_TLS_KEY_FILE: keyFile } = parsed;
  const tls = certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
  if (tls === undefined && (certFile ?? keyFile) !== undefined)
    throw wrong("REKEY_TLS_CERT_FILE", "needs REKEY_TLS_KEY_FILE beside it, and the other way round.");
  const refusal = refuseListenPlace(listen, { hasTls: tls !== undefined, names: parsed.REKEY_NAMES });
  if (refusal !== undefined) throw wrong("REKEY_LISTEN", refusal);
  return {
    databaseUrl: parsed.DATABASE_URL,
    temporal: {
      address: parsed.TEMPORAL_ADDRESS,
      namespace: parsed.TEMPORAL_NAMESPACE,
      apiKeyFile: parsed.TEMPORAL_API_KEY_FILE,
      tls: parsed.TEMPORAL_TLS ?? hasTlsFile,
      caFile: parsed.TEMPORAL_TLS_CA_FILE,
      certFile: parsed.TEMPORAL_TLS_CERT_FILE,
      keyFile: parsed.TEMPORAL_TLS_KEY_FILE,
      binary: parsed.REKEY_TEMPORAL_BIN,
    },
    home,
    address: parsed.REKEY_ADDRESS,
    tokenFile: parsed.REKEY_TOKEN_FILE ?? join(home, "token"),
    port: listen.port,
    listen,
    names: ownNames(listen, parsed.REKEY_NAMES),
    tls,
    caFile: parsed.REKEY_CA_FILE,
    fileRoots: parsed.REKEY_FILE_ROOTS,
    reloads: entriesOf("REKEY_RELOADS_FILE", reloads),
    programs: entriesOf("REKEY_EXEC_CONSUMERS_FILE", programs),
    egressLocalPorts: parsed.REKEY_EGRESS_LOCAL_PORTS,
    doctorLookMs: parsed.REKEY_DOCTOR_LOOK_MS,
    leakValuesAMinute: parsed.REKEY_LEAK_VALUES_A_MINUTE,
    sweepEveryMs: parsed.REKEY_SWEEP_EVERY_MS,
    notices: noticeSettings(parsed),
    logLevel: parsed.REKEY_LOG_LEVEL,
    keyFiles: {
      custody: parsed.REKEY_CUSTODY_KEY_FILE ?? join(home, "keys", "custody.json"),
      fingerprint: parsed.REKEY_FINGERPRINT_KEY_FILE ?? join(home, "keys", "fingerprint.json"),
      audit: parsed.REKEY_AUDIT_KEY_FILE ?? join(home, "keys", "audit.json"),
    },
    custodies,
    custodyDefault: parsed.REKEY_CUSTODY_DEFAULT,
    failpoint: parsed.REKEY_FAILPOINT,
  };
}

function parse(name: string, variable: Variable, given: Environment): unknown {
  const result = variable.schema.safeParse(textOf(name, variable, given));
  if (result.success) return result.data;
  const advice = result.error.issues[0]?.message ?? "is not valid";
  throw wrong(name, `${advice}. ${variable.meaning} Without it: ${variable.whenAbsent}.`);
}

function textOf(name: string, { secret }: Variable, given: Environment): string | undefined {
  const direct = given[name] === "" ? undefined : given[name];
  const file = secret === true ? given[`${name}_FILE`] : undefined;
  if (file === undefined || file === "") return direct;
  if (direct !== undefined) throw wrong(name, `is given twice; remove it and keep ${name}_FILE.`);
  return readText(`${name}_FILE`, file).trim();
}

function refuseUnknown(given: Environment): void {
  const known = describeSettings().map(({ name }) => name);
  for (const name of Object.keys(given)) {
    if (!name.startsWith("REKEY_") || name.startsWith(foreignPrefix) || known.includes(name)) continue;
    const nearest = nearestWord(name, known);
    const hint = nearest === undefined ? "rekey has no such setting; unset it." : `did you mean ${nearest}?`;
    throw wrong(name, hint);
  }
}
