import { sql, type Kysely } from "kysely";
import { embeddedPlace } from "../domain/custody-place.ts";
import { recordEvent } from "./audit.ts";
import type { Tables } from "./tables.ts";

/** Where the ledger says that a value lies. */
export interface CustodyPointer {
  readonly place: string;
  /** While it is moved: where it lies as well, or is about to. */
  readonly other: string | undefined;
  /** Rises with each step of a move: a late one finds that others have gone on. */
  readonly generation: number;
}

export interface StoredMove {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly credentialId: string;
  readonly version: number;
  readonly actor: string;
  /** False: nothing lay in either place, so that there is nothing to tell. */
  readonly isValue: boolean;
}

/** The ledger's book of places. What has no row lies in the embedded place, if anywhere. */
export interface CustodyPlaces {
  find(key: string): Promise<CustodyPointer>;
  /**
   * Before a value is put: where it is to be. The place that the ledger knows already, else that of the credential, which
   * is written down first, so that no value lies where nobody looks.
   */
  settle(key: string, credentialId: string): Promise<string>;
  /** Runs `work` while nobody can begin to move the value to or from `place`, unless it lies there or is moved already. */
  whileAbsentFrom(key: string, place: string, work: () => Promise<void>): Promise<boolean>;
  /**
   * Before a value is copied to another place: notes that it may lie there too. How it stands then; where a former move
   * did not come to its end, as that left it.
   */
  beginMove(key: string, target: string): Promise<CustodyPointer>;
  /**
   * The copy lies in `to`: from now on it is the one, and `from` is to be left. With its audit row. Undefined when somebody
   * else has gone on with the value since `seen`.
   */
  finishCopy(move: StoredMove, seen: CustodyPointer): Promise<CustodyPointer | undefined>;
  /** Runs `work`, which forgets the value in `seen.other`, unless somebody else has gone on with it since. */
  leave(key: string, seen: CustodyPointer, work: () => Promise<void>): Promise<boolean>;
  /** Notes that `seen.other` has nothing of ours. */
  giveUp(key: string, seen: CustodyPointer): Promise<void>;
  /** Whether any value was ever put elsewhere. */
  isEmpty(): Promise<boolean>;
}

interface Row {
  readonly place: string;
  readonly other: string | null;
  readonly generation: number;
}

const asPointer = (row: Row | undefined): CustodyPointer => ({
  place: row?.place ?? embeddedPlace,
  other: row?.other ?? undefined,
  generation: row?.generation ?? 0,
});

export function createCustodyPlaces(db: Kysely<Tables>): CustodyPlaces {
  async function find(key: string): Promise<CustodyPointer> {
    const { rows } = await sql<Row>`SELECT place, other, generation FROM custody_places WHERE key = ${key}`.execute(db);
    return asPointer(rows[0]);
  }

  async function lock(trx: Kysely<Tables>, key: string): Promise<CustodyPointer> {
    await sql`
      INSERT INTO custody_places (key, place) VALUES (${key}, ${embeddedPlace}) ON CONFLICT DO NOTHING`.execute(trx);
    const { rows } = await sql<Row>`
      SELECT place, other, generation FROM custody_places WHERE key = ${key} FOR UPDATE`.execute(trx);
    return asPointer(rows[0]);
  }

  async function note(trx: Kysely<Tables>, key: string, { place, other, generation }: CustodyPointer) {
    await sql`
      UPDATE custody_places SET place = ${place}, other = ${other ?? null}, generation = ${generation + 1}
      WHERE key = ${key}`.execute(trx);
    return { place, other, generation: generation + 1 };
  }

  return {
    find,

    async settle(key, credentialId) {
      const { rows } = await sql<{ known: string | null; wanted: string | null }>`
        SELECT (SELECT place FROM custody_places WHERE key = ${key}) AS known,
          CASE WHEN EXISTS (SELECT FROM custody_values WHERE key = ${key}) THEN ${embeddedPlace}
            ELSE (SELECT custody FROM credentials WHERE id = ${credentialId}) END AS wanted`.execute(db);
      const [{ known, wanted } = { known: null, wanted: null }] = rows;
      const place = known ?? wanted ?? embeddedPlace;
      if (known !== null || place === embeddedPlace) return place;
      await sql`
        INSERT INTO custody_places (key, place) VALUES (${key}, ${place}) ON CONFLICT DO NOTHING`.execute(db);
      return (await find(key)).place;
    },

    whileAbsentFrom: (key, place, work) =>
      db.transaction().execute(async (trx) => {
        const now = await lock(trx, key);
        if (now.place === place || now.other !== undefined) return false;
        await work();
        return true;
      }),

    beginMove: (key, target) =>
      db.transaction().execute(async (trx) => {
        const now = await lock(trx, key);
        return now.place === target || now.other !== undefined ? now : note(trx, key, { ...now, other: target });
      }),

    finishCopy: ({ key, from, to, credentialId, version, actor, isValue }, seen) =>
      db.transaction().execute(async (trx) => {
        const now = await lock(trx, key);
        if (now.generation !== seen.generation) return undefined;
        if (isValue)
          await recordEvent(trx, { credentialId, actor, action: "value.moved", details: { version, from, to } });
        return note(trx, key, { ...now, place: to, other: from });
      }),

    leave: (key, seen, work) =>
      db.transaction().execute(async (trx) => {
        const now = await lock(trx, key);
        if (now.generation !== seen.generation) return false;
        await work();
        await note(trx, key, { ...now, other: undefined });
        return true;
      }),

    giveUp: (key, seen) =>
      db.transaction().execute(async (trx) => {
        const now = await lock(trx, key);
        if (now.generation === seen.generation) await note(trx, key, { ...now, other: undefined });
      }),

    async isEmpty() {
      const { rows } = await sql<{ empty: boolean }>`
        SELECT NOT EXISTS (SELECT FROM custody_places) AS empty`.execute(db);
      return rows[0]?.empty ?? true;
    },
  };
}
