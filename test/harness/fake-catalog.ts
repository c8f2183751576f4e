import { z } from "zod";
import { PermanentError } from "../../domain/errors.ts";
import type { Catalog } from "../../providers/catalog.ts";
import type { ConsumerDefinition } from "../../providers/contract/consumer.ts";
import type { EvidenceDefinition } from "../../providers/contract/evidence.ts";
import type { IssuerDefinition } from "../../providers/contract/issuer.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { sameKeys } from "../../providers/contract/shared-keys.ts";
import { revealField } from "../../providers/contract/value.ts";

const nothingReached = () => Promise.reject(new Error("a fake reaches nothing"));

interface FakeConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

interface FakeConfig {
  readonly logins: readonly string[];
}

/** A kind of issuer that is only its definition: for what reads definitions and never opens one. */
const fakeDb: IssuerDefinition<FakeConnection, FakeConfig> = {
  kind: "fake-db",
  title: "A database that is not there",
  facts: {
    chooser: "rekey",
    slots: { overlap: 2, "single-slot": 1 },
    inactiveCounts: true,
    repeatedIssue: "same-version",
    activationLagMs: 0,
    deactivationLagMs: 0,
    endedCodes: ["refused"],
    usage: { covers: "snapshot", grain: "version" },
    sessionsOutliveRevocation: true,
    lateCallsRefusedBy: "nothing",
  },
  fields: {
    username: { secret: false, title: "Login" },
    password: { secret: true, title: "Password" },
    url: { secret: true, title: "Both in one" },
  },
  authenticator: "password",
  adminFields: { password: { secret: true, title: "Password of the admin login" } },
  connectionSchema: z.strictObject({
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(5432),
    user: z.string().min(1),
  }),
  configSchema: z.strictObject({ logins: z.array(z.string().min(1)).min(1).max(2) }),
  orderOf: ({ logins }) => (logins.length === 2 ? "overlap" : "single-slot"),
  principalsOf: ({ logins }) => logins,
  adminPrincipalOf: ({ user }) => user,
  handleOf({ logins }, value, version) {
    const login = typeof value["username"] === "string" ? value["username"] : "";
    if (!logins.includes(login))
      throw new PermanentError(
        "value_unfit",
        `The login must be one of ${logins.join(", ")}. Name it with --username.`,
      );
    return `${login}#${version}`;
  },
  adoptedFields: ["username", "password"],
  complete: ({ host, port }, _config, given) => ({
    ...given,
    url: new Secret(`fake://${host}:${port}/?login=${revealField(given, "username")}`),
  }),
  open: nothingReached,
};

interface FakePlace {
  readonly path: string;
  readonly keys: Readonly<Record<string, string>>;
}

const fakePlace: ConsumerDefinition<FakePlace> = {
  kind: "fake-place",
  title: "A place that is not there",
  configSchema: z.strictObject({
    path: z.string().startsWith("/", "must be an absolute path"),
    keys: z.record(z.string(), z.string()),
  }),
  targetOf: ({ path }) => `fake:${path}`,
  sharedKeys: (one, other) => sameKeys(one.keys, other.keys),
  fieldsOf: ({ keys }) => Object.values(keys),
  noteOf: (target) => `${target} is minded by its worker alone.`,
  open: nothingReached,
};

const collector = (
  kind: string,
  strength: EvidenceDefinition["strength"],
  needsChange: boolean,
): EvidenceDefinition => ({
  kind,
  title: kind,
  strength,
  needsChange,
  configSchema: z.strictObject({ instances: z.int().min(1).default(1) }),
  collect: nothingReached,
});

export const fakeCatalog: Catalog = {
  issuers: { "fake-db": fakeDb },
  consumers: { "fake-place": fakePlace },
  collectors: { watch: collector("watch", "observed", false), ask: collector("ask", "attested", true) },
};
