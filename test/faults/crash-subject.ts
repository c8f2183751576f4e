import type { Client } from "@temporalio/client";
import { withLedger } from "../harness/oracle-books.ts";
import { lookAtCrash, lostValues } from "../harness/oracle-crash.ts";
import { consultOracle } from "../harness/oracle.ts";
import { lostValue } from "../harness/oracle-custody.ts";
import { missingIntent } from "../harness/oracle-intent.ts";
import { register } from "../harness/registered.ts";
import type { World } from "../harness/world.ts";
import { placeOf } from "./crash-custodies.ts";
import { operationOf, type MatrixCase } from "./matrix-cases.ts";

/** What a case rotates, and who looks at it from outside: one for each issuer that the matrix kills workers over. */
export type CrashSubject = (
  world: World,
  one: Pick<MatrixCase, "custody" | "order" | "policy">,
) => Promise<CrashWitness>;

export interface CrashWitness {
  /** What only calls of this case name. */
  readonly named: { readonly issuer: string; readonly custody: string };
  rotate(): Promise<string>;
  /** Between the death of one worker and the start of the next: what is wrong by then. */
  lookAtCrash(rotationId: string, one: MatrixCase): Promise<readonly string[]>;
  /** When the rotation has ended: what is wrong, a sentence each. */
  lookAtEnd(ended: {
    readonly temporal: Client;
    readonly rotationId: string;
    readonly outcome: "proven" | "undone";
  }): Promise<readonly string[]>;
  close(): Promise<unknown>;
}

/** A pair of roles or a single one at PostgreSQL, an application and its sentinel. */
export const postgresSubject: CrashSubject = async (world, one) => {
  const { order, policy } = one;
  const orders = await register(world, { order, policy, custody: placeOf(one) });
  const { credentialId } = orders;
  let atCrash: Awaited<ReturnType<typeof lookAtCrash>> | undefined;
  return {
    named: { issuer: orders.owner, custody: credentialId },
    rotate: async () => orders.rotate(),
    async lookAtCrash(rotationId, died) {
      const unprepared = await missingIntent({ world, orders, rotationId, operation: operationOf(died) });
      const lost = await withLedger(world.ledgerUrl, async (ledger) =>
        lostValue(ledger, world.elsewhere, credentialId),
      );
      atCrash = await lookAtCrash(world, orders, rotationId);
      return [...unprepared, ...lost, ...atCrash.breaches];
    },
    async lookAtEnd({ temporal, rotationId, outcome }) {
      const found = await consultOracle({ world, temporal, orders, rotationId, order, outcome });
      return [...found, ...(atCrash === undefined ? [] : lostValues(atCrash, orders, outcome))];
    },
    close: async () => orders.shop.close(),
  };
};
