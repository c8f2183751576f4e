import { randomBytes } from "node:crypto";
import type { Claim } from "../../domain/claim.ts";
import type { ConnectionLook } from "../../providers/contract/connection.ts";
import type { ProviderContext } from "../../providers/contract/context.ts";
import type { EffectRequest, Issued, IssuerSession } from "../../providers/contract/issuer.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";
import { postgresRole } from "../../providers/issuers/postgres-role/definition.ts";
import type { IssuerServer } from "./postgres-issuer.ts";

export interface Admin {
  readonly user: string;
  readonly password: string;
}

export interface OpenHow {
  readonly instance?: string;
  readonly credential?: string;
  readonly signal?: AbortSignal;
  readonly connection?: Readonly<Record<string, unknown>>;
  readonly spend?: () => Promise<void>;
}

/** The provider's session on a server, as a worker would open it. */
export function openRole(
  server: Pick<IssuerServer, "host" | "port">,
  admin: Admin,
  config: unknown,
  how: OpenHow = {},
): Promise<IssuerSession> {
  const { host, port } = server;
  const connection = { host, port, database: "postgres", user: admin.user, ...how.connection };
  return postgresRole.open(
    {
      connection: postgresRole.connectionSchema.parse(connection),
      admin: { password: new Secret(admin.password) },
      config: postgresRole.configSchema.parse(config),
      instance: how.instance ?? "ins_1",
      credential: how.credential ?? "crd_1",
    },
    { ...contextOf(how.signal), ...(how.spend === undefined ? {} : { spend: how.spend }) },
  );
}

const contextOf = (signal = new AbortController().signal): ProviderContext => ({
  signal,
  fetch: Object.assign(() => Promise.reject(new Error("no HTTP")), { resolve: () => Promise.resolve([]) }),
  log: () => undefined,
});

/** What a connection with this login shows of the server, as a worker would ask. */
export async function lookAt(
  { host, port }: Pick<IssuerServer, "host" | "port">,
  { user, password }: Admin,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<ConnectionLook> {
  const connection = postgresRole.connectionSchema.parse({ host, port, database: "postgres", user, ...settings });
  const looked = await postgresRole.look?.({ connection, admin: { password: new Secret(password) } }, contextOf());
  if (looked === undefined) throw new Error("it shows nothing");
  return looked;
}

let turn = 0;
/** Rises over the whole file, as claims of one credential do. */
export const nextClaim = (): Claim => ({ epoch: 1, number: ++turn });

export const effectOn = (handle: string, part: Partial<EffectRequest> = {}): EffectRequest => ({
  handle,
  operationKey: "end",
  claim: nextClaim(),
  ...part,
});

export async function issueVersion(
  session: IssuerSession,
  version: number,
  keep: readonly string[],
  claim = nextClaim(),
): Promise<Issued> {
  const operationKey = `key-${version}`;
  const chosen = await session.choose?.({ operationKey, version, keep });
  if (chosen === undefined) throw new Error("It chooses nothing.");
  return session.issue({ handle: chosen.handle, operationKey, claim, keep, chosen: chosen.value });
}

export const passwordOf = (value: Value): string => revealField(value, "password");

/** A value as a person would have registered it. */
export function valueOf(server: Pick<IssuerServer, "host" | "port">, role: string, password: string): Value {
  return {
    username: role,
    password: new Secret(password),
    host: server.host,
    port: String(server.port),
    database: "orders",
    url: new Secret(`postgresql://${encodeURIComponent(role)}@${server.host}:${server.port}/orders`),
  };
}

export const wrongOf = (value: Value): Value => ({ ...value, password: new Secret(randomBytes(24).toString("hex")) });
