import type { Client } from "@temporalio/client";
import { lookAtCrash, lostValues } from "../harness/oracle-crash.ts";
import { consultOracle } from "../harness/oracle.ts";
import { missingIntent } from "../harness/oracle-intent.ts";
import { register } from "../harness/registered.ts";
import type { World } from "../harness/world.ts";
import { operationOf, type MatrixCase } from "./matrix-cases.ts";

/** What a case rotates, and who looks at it from outside: one for each issuer that the matrix kills workers over. */
export type CrashSubject = (world: World, one: MatrixCase) => Promise<CrashWitness>;

export interface CrashWitness {
  rotate(): Promise<string>;
  /** Between the death of one worker and the start of the next: what is wrong by then. */
  lookAtCrash(rotationId: string): Promise<readonly string[]>;
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
  const orders = await register(world, { order, policy });
  let atCrash: Awaited<ReturnType<typeof lookAtCrash>> | undefined;
  return {
    rotate: async () => orders.rotate(),
    async lookAtCrash(rotationId) {
      const unprepared = await missingIntent({ world, orders, rotationId, operation: operationOf(one) });
      atCrash = await lookAtCrash(world, orders, rotationId);
      return [...unprepared, ...atCrash.breaches];
    },
    async lookAtEnd({ temporal, rotationId, outcome }) {
      const found = await consultOracle({ world, temporal, orders, rotationId, order, outcome });
      return [...found, ...(atCrash === undefined ? [] : lostValues(atCrash, orders, outcome))];
    },
    close: async () => orders.shop.close(),
  };
};
