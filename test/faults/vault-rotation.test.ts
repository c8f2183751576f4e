import { setTimeout as pause } from "node:timers/promises";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { orders } from "../../domain/order.ts";
import { defaultPolicy } from "../../domain/policy.ts";
import { catalog } from "../../providers/catalog.ts";
import { withApi } from "../harness/api.ts";
import { startSentinel, type HeldLogin } from "../harness/sentinel.ts";
import { versionsOf } from "../harness/say.ts";
import { withVault } from "../harness/with-vault.ts";
import { readRotation } from "../harness/world.ts";
import { openVaultPlace, type VaultPlace } from "./vault-place.ts";

const vault = withVault();
const loginOf = ({ role_id = "", secret_id = "" }: HeldLogin): HeldLogin => ({ role_id, secret_id });
const readAll = async ({ places }: VaultPlace) =>
  Promise.all(Object.values(places).map(async (read) => loginOf(await read())));

/** An application on each of the places, that logs in with what lies there all the while; while Vault is sealed it waits. */
async function watch(place: VaultPlace) {
  const sentinels = await Promise.all(
    Object.values(place.places).map(async (read) => startSentinel(async () => loginOf(await read()), place.login)),
  );
  const close = async () => Promise.all(sentinels.map(async (sentinel) => sentinel.close()));
  onTestFinished(async () => void (await close()));
  return close;
}

/** Every version that lives rests in Vault and is let in, and nothing else is: nothing is lost, nothing is nobody's. */
async function expectNothingLost(place: VaultPlace) {
  const { steps, credentialId } = place;
  const live = (await versionsOf(steps, credentialId)).filter(({ state }) => state === "live");
  const resting = await Promise.all(live.map(async ({ number }) => place.resting(number)));
  expect(resting.filter((each) => each !== undefined)).toHaveLength(live.length);
  expect(await place.secretIds()).toHaveLength(live.length);
  for (const held of await readAll(place))
    expect(resting.filter((each) => each?.includes(held["secret_id"] ?? "none"))).toHaveLength(1);
}

/** It is over, with the new version everywhere and the old one nowhere. */
async function expectProven(place: VaultPlace, rotationId: string) {
  const { steps, credentialId, old } = place;
  expect(await readRotation(steps, rotationId)).toMatchObject({ outcome: "proven", hold: null });
  const { rows: holds } = await sql`SELECT FROM holds WHERE rotation_id = ${rotationId}`.execute(steps.ledger.db);
  expect(holds).toEqual([]);
  const [held, ...others] = await readAll(place);
  for (const other of others) expect(other).toEqual(held);
  expect(held?.["secret_id"]).not.toBe(old["secret_id"]);
  for (const read of [place.places.vault, place.places.aws]) expect(await read()).toMatchObject({ mode: "live" });
  expect(await place.login(old)).toBe("400");
  await expectNothingLost(place);
  expect(await versionsOf(steps, credentialId)).toMatchObject([
    { number: 1, state: "proven-dead" },
    { number: 2, state: "live" },
  ]);
  expect(await place.resting(1)).toBeUndefined();
}

async function expectNobodyRefused(watching: Awaited<ReturnType<typeof watch>>) {
  for (const { troubles, held, logins } of await watching()) {
    expect(troubles).toEqual([]);
    expect(held).toHaveLength(2);
    expect(logins).toBeGreaterThan(10);
  }
}

test(
  "a secret id whose custody, and one of whose consumers, is in Vault rotates though that is sealed for ten seconds in each phase: nothing is lost, nobody is refused, and people are told why it waits",
  { timeout: 600_000 },
  async () => {
    // As patient as a policy is that says nothing about it.
    const { attempts, retryFirstMs, retryLongestMs, holdAfterMs } = defaultPolicy;
    const place = await openVaultPlace(vault(), { attempts, retryFirstMs, retryLongestMs, holdAfterMs });
    const { steps } = place;
    const api = await withApi(steps, catalog);
    const problem = async (rotationId: string) => {
      const { json } = await api.ask("GET", `/rotations/${rotationId}`);
      return (json["lastProblem"] as { readonly code: string } | null)?.code ?? "none";
    };
    const watching = await watch(place);
    const rotationId = await place.rotate();
    const [, ...next] = orders.overlap;
    const told: Record<string, string> = {};
    for (const phase of next) {
      await vault().seal();
      const sealed = (async () => {
        await pause(10_000);
        told[phase] = await problem(rotationId);
        await vault().unseal();
      })();
      await Promise.all([steps.reach(rotationId, phase), sealed]);
      await expectNothingLost(place);
    }
    await expectProven(place, rotationId);
    await expectNobodyRefused(watching);
    // To promote takes nothing but the ledger.
    expect(told).toEqual({ ...Object.fromEntries(next.map((phase) => [phase, "system_sealed"])), promoted: "none" });
  },
);

test("the same where it is sealed in the middle of what a phase does", async () => {
  const place = await openVaultPlace(vault(), { attempts: 100 });
  const { steps } = place;
  const watching = await watch(place);
  const rotationId = await place.rotate();
  let isOver = false;
  const carrying = steps.carry(rotationId).finally(() => (isOver = true));
  const sealedIn = new Set<string>();
  const sealing = (async () => {
    for (; !isOver; await pause(20)) {
      const { phase } = await steps.read(rotationId);
      if (sealedIn.has(phase)) continue;
      sealedIn.add(phase);
      await vault().seal();
      // Longer than the policy waits before it tries again.
      await pause(1_500);
      await vault().unseal();
    }
  })();
  await Promise.all([carrying, sealing]);
  expect(sealedIn.size).toBeGreaterThan(5);
  await expectProven(place, rotationId);
  await expectNobodyRefused(watching);
});
