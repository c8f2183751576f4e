import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { CustodyRef } from "../../custody/custody.ts";
import { versionRef } from "../../custody/refs.ts";
import { embeddedPlace } from "../../domain/custody-place.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { needs } from "../harness/needs.ts";
import { hasVault, noVault } from "../harness/vault.ts";
import { openMintedScenes, type MintedScene, type MintedScenes, type System } from "./minted-scenes.ts";

interface Planted {
  readonly scenes: MintedScenes;
  readonly orders: MintedScene;
  readonly place: string;
  /** Where version 1 lies. */
  readonly ref: CustodyRef;
}

const strange = { someone: "else", secret: new Secret("made by the test") };

const inLedger =
  (change: (id: string) => ReturnType<typeof sql>) =>
  async ({ scenes, ref }: Planted) =>
    void (await change(ref.credential).execute(scenes.ledger.db));

interface Plant {
  readonly what: string;
  readonly says: string;
  make(planted: Planted): Promise<void>;
}

const plants: readonly Plant[] = [
  {
    what: "a value that is gone",
    says: "invariant 3: version 1 is live and its value is gone.",
    make: async ({ scenes, place, ref }) => scenes.deps.custody.at(place).forget(ref),
  },
  {
    what: "a value that lies in two places",
    says: "version 1 is live and its value is kept in embedded and kept in main-",
    make: async ({ scenes, ref }) => void (await scenes.deps.custody.at(embeddedPlace).putIfAbsent(ref, strange)),
  },
  {
    what: "a value of which the ledger's book knows nothing",
    says: "where the ledger sends nobody",
    make: inLedger((id) => sql`DELETE FROM custody_places WHERE key LIKE ${`${id}/%`}`),
  },
  {
    what: "a value that is kept although its version is dead",
    says: "invariant 3: version 1 is proven-dead and its value is kept in main-",
    make: inLedger((id) => sql`UPDATE versions SET state = 'proven-dead' WHERE credential_id = ${id}`),
  },
  {
    what: "a value of a version that nobody knows",
    says: "invariant 2: a value of version 9, which nobody knows, is kept in main-",
    make: async ({ scenes, place, ref }) =>
      void (await scenes.deps.custody.at(place).putIfAbsent({ ...ref, version: 9 }, strange)),
  },
  {
    what: "a value that is not the one in use",
    says: "invariant 3: what rests for version 1 is not what its consumer holds.",
    async make({ scenes, place, ref }) {
      await scenes.deps.custody.at(place).forget(ref);
      await scenes.deps.custody.at(place).putIfAbsent(ref, strange);
    },
  },
  {
    what: "a value that can be brought back and no longer read",
    says: "version 1 is live and its value is half gone in main-",
    make: async ({ orders }) => orders.hide(),
  },
];

describe.each<System>(["aws", "vault"])("the oracle of the crash matrix, asking a place in %s", (system) => {
  let folder: string;
  let scenes: MintedScenes;
  const isHere = system === "aws" || hasVault;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rk-oracle-"));
    if (isHere) scenes = await openMintedScenes(folder, system, true);
  }, 120_000);

  beforeEach((context) => needs(context, isHere, noVault));

  afterAll(async () => {
    if (isHere) await scenes?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(plants)("sees $what", async ({ make, says }) => {
    const orders = await scenes.register();
    expect(await orders.wrong()).toEqual([]);
    const { rows } = await sql<{ instance: string; id: string }>`
      SELECT i.id AS instance, v.id FROM instance i, versions v
      WHERE v.credential_id = ${orders.credentialId}`.execute(scenes.ledger.db);
    const [{ instance, id: versionId } = { instance: "", id: "" }] = rows;
    const { credentialId } = orders;
    const ref = versionRef({ instance, credentialId, number: 1, versionId, pool: "default" });
    await make({ scenes, orders, ref, place: `main-${system}` });
    expect((await orders.wrong()).join("\n")).toContain(says);
  });
});
