import { createSecretKey, randomBytes } from "node:crypto";
import type { FastifyInstance, InjectOptions } from "fastify";
import { buildApi } from "../../api/build-api.ts";
import type { ApiDeps } from "../../api/deps.ts";
import { newToken, tokenDigest } from "../../api/new-token.ts";
import { createFingerprints, type Fingerprints } from "../../custody/fingerprint.ts";
import { createKeyRing } from "../../custody/key-file.ts";
import { embeddedPlace } from "../../domain/custody-place.ts";
import type { Role } from "../../domain/role.ts";
import type { RoutedCustody } from "../../custody/route.ts";
import { createLog } from "../../custody/scrubbed-log.ts";
import { createScrubber } from "../../custody/scrubber.ts";
import { readInstance } from "../../ledger/health.ts";
import { storeToken } from "../../ledger/tokens.ts";
import type { Catalog } from "../../providers/catalog.ts";

import { fakeCatalog } from "./fake-catalog.ts";
import type { TestLedger } from "./ledger.ts";
import { openMemoryCustody, type MemoryStores } from "./memory-custody.ts";

export interface TestApi {
  readonly app: FastifyInstance;
  readonly deps: ApiDeps;
  readonly custody: RoutedCustody;
  /** Of an admin, unless it was asked for another. */
  readonly token: string;
  readonly tokenId: string;
  /** Lines of the log so far. */
  readonly logged: readonly string[];
  /** A request with the token, from the loopback address. */
  ask(method: "GET" | "POST", path: string, body?: unknown, options?: InjectOptions): Promise<TestAnswer>;
  /** The same API, asked with a new token of that role. */
  as(role: Role, teamId?: string): Promise<TestApi>;
}

export interface TestAnswer {
  readonly status: number;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

const keys = () => createKeyRing([{ id: "key_test", key: createSecretKey(randomBytes(32)) }]);

interface ApiPlaces {
  /** Places of custody besides the embedded one. */
  readonly stores?: MemoryStores;
  readonly custodyDefault?: string;
  readonly leakValuesAMinute?: number;
  /** Of another API over the same ledger, which is to recognise the same. */
  readonly fingerprints?: Fingerprints;
}

/** The API over a real ledger and real custody, asked without a socket. */
export async function withApi(
  { ledger }: Pick<TestLedger, "ledger">,
  catalog: Catalog = fakeCatalog,
  places: ApiPlaces = {},
): Promise<TestApi> {
  const { stores = {}, custodyDefault = embeddedPlace, leakValuesAMinute = 100_000 } = places;
  const { fingerprints = createFingerprints(keys()) } = places;
  const logged: string[] = [];
  const custody = openMemoryCustody(ledger, keys(), stores);
  const deps: ApiDeps = {
    ledger,
    custody,
    custodyDefault,
    fingerprints,
    catalog,
    instance: await readInstance(ledger),
    auditKeys: new Map(),
    custodyTrouble: () => Promise.resolve(undefined),
    custodyKey: { file: "/keys/custody.json", id: "key_test" },
    doctorLookMs: 10_000,
    leakValuesAMinute,
    names: [],
    log: createLog({
      level: "debug",
      scrubber: createScrubber(),
      destination: { write: (line) => void logged.push(line) },
    }),
  };
  const app = await buildApi(deps);
  return withToken({ app, deps, custody, logged }, "admin");
}

async function withToken(
  parts: Pick<TestApi, "app" | "deps" | "custody" | "logged">,
  role: Role,
  teamId?: string,
): Promise<TestApi> {
  const token = newToken();
  const digest = tokenDigest(token);
  const stored = await storeToken(parts.deps.ledger, { digest, role, teamId, lifeMs: 86_400_000, actor: "test" });
  return {
    ...parts,
    token,
    tokenId: stored.id,
    as: (other, ofTeam) => withToken(parts, other, ofTeam),
    async ask(method, path, body, options = {}) {
      const response = await parts.app.inject({
        method,
        url: `/api/v1${path}`,
        headers: { host: "127.0.0.1:7390", authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { payload: body as object }),
        ...options,
      });
      const { statusCode: status, body: text } = response;
      return { status, text, json: response.json<Record<string, unknown>>() };
    },
  };
}
