import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newPassword, runStatements, startOrdersCluster, type OrdersCluster } from "./orders-cluster.ts";
import { openWitness, type Witness } from "./witness.ts";

let folder: string;
let cluster: OrdersCluster;
let witness: Witness;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-"));
  cluster = await startOrdersCluster({ folder });
  witness = await openWitness(cluster.keeper);
});
afterAll(async () => {
  await witness.close();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

test("a login is accepted or refused, and a server that is not there is neither", async () => {
  expect(await witness.tries(cluster.today)).toBe("accepted");
  expect(await witness.tries({ ...cluster.today, password: newPassword() })).toBe("28P01");
  await expect(witness.tries({ ...cluster.today, port: 1 })).rejects.toThrow("ECONNREFUSED");
});

test("the witness uses the old login only once it is gone, and never reports one that can come back", async () => {
  let seen: unknown;
  const refused = witness.seesRefused(cluster.today, AbortSignal.timeout(30_000)).then((answer) => (seen = answer));
  await runStatements(cluster.admin, ["ALTER ROLE orders_a NOLOGIN"]);
  for (let look = 0; look < 10; look++) {
    expect(await witness.sessionsOn("orders_a")).toEqual([]);
    await sleep(20);
  }
  expect(seen).toBeUndefined();
  await runStatements(cluster.admin, ["ALTER ROLE orders_a PASSWORD NULL"]);
  expect(await refused).toMatchObject({ code: "28P01" });
});

test("nobody waits for a refusal after an interrupt", async () => {
  const abort = new AbortController();
  const waiting = witness.seesRefused({ ...cluster.today, user: "rekey_admin" }, abort.signal);
  abort.abort();
  await expect(waiting).rejects.toThrow("abort");
});
