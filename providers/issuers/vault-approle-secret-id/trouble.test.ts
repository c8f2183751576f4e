import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { RekeyError } from "../../../domain/errors.ts";
import { effectOn, makeVersion } from "../../../test/conformance/issuer-bench.ts";
import { ability } from "../../../test/conformance/issuer-world.ts";
import { makeApproleWorld } from "../../../test/conformance/vault/approle-world.ts";
import { startVault, type VaultServer } from "../../../test/harness/vault.ts";
import { withVault } from "../../../test/harness/with-vault.ts";
import { revealField, type Value } from "../../contract/value.ts";
import { complete, readHandle, writtenHandle } from "./config.ts";
import { readMark, writtenMark } from "./mark.ts";

const vault = withVault();
let twin: Promise<VaultServer> | undefined;
afterAll(async () => (await twin)?.stop());

async function world() {
  const made = await makeApproleWorld(vault(), () => (twin ??= startVault()));
  onTestFinished(() => made.close());
  const { mount } = made.config as { readonly mount: string };
  const role = `auth/${mount}/role/orders`;
  const set = (change: object) => vault().must("POST", role, change);
  const asked = { live: [], instance: made.instance, credential: made.credential };
  return { ...made, mount, role, set, asked };
}

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it must fail with an error of ours", { cause: error });
}

describe("the role", () => {
  test.each<readonly [string, object, string]>([
    ["any secret id", { bind_secret_id: false, token_bound_cidrs: ["127.0.0.1/32"] }, "bind_secret_id=true"],
    ["batch tokens", { token_type: "batch" }, "token_type=service"],
    ["few uses", { secret_id_num_uses: 99 }, "secret_id_num_uses=0"],
    ["a short life", { secret_id_ttl: "1h" }, "secret_id_ttl=0"],
  ])("that has %s is a finding with the command that changes it", async (_, change, mend) => {
    const { open, set, role, asked } = await world();
    await set(change);
    const session = await open();
    expect((await session.preflight(asked)).map(({ code, mend: how }) => [code, how])).toEqual([
      ["principal_unfit", `vault write ${role} ${mend}`],
    ]);
  });

  test("with limits that leave room for looks is no finding, and its limits hold for what is minted", async () => {
    const { open, set, role, asked, nameOf } = await world();
    await set({ secret_id_num_uses: 100, secret_id_ttl: "720h" });
    const session = await open();
    expect(await session.preflight(asked)).toEqual([]);
    const { value } = await makeVersion(session, 1, []);
    const { data } = (await vault().must("POST", `${role}/secret-id-accessor/lookup`, {
      secret_id_accessor: nameOf(value),
    })) as { readonly data: object };
    expect(data).toMatchObject({ secret_id_num_uses: 100, secret_id_ttl: 720 * 3600 });
  });

  test("that holds a secret id of ours which the ledger does not count on is a finding, with the command that ends it", async () => {
    const made = await world();
    const { open, role, asked, nameOf } = made;
    const session = await open();
    await makeVersion(await open({ credential: "crd_other" }), 1, []);
    const [left, live] = [await makeVersion(session, 1, []), await makeVersion(session, 2, [])];
    await ability(made, "makeStranger")();
    expect(await session.preflight({ ...asked, live: [left.handle, live.handle] })).toEqual([]);
    const found = await session.preflight({ ...asked, live: [live.handle] });
    const name = nameOf(left.value);
    expect(found.map(({ code, mend }) => [code, mend])).toEqual([
      ["no_free_slot", `vault write ${role}/secret-id-accessor/destroy secret_id_accessor=${name}`],
    ]);
    expect(found[0]?.detail).toContain(name);
    await vault().must("POST", `${role}/secret-id-accessor/destroy`, { secret_id_accessor: name });
    expect(await session.preflight({ ...asked, live: [live.handle] })).toEqual([]);
  });

  test("an accessor of another secret id is never taken for a value's own: the right one is named", async () => {
    const made = await world();
    const session = await made.open();
    const own = await ability(made, "makeFirstByHand")();
    const other = await ability(made, "makeStranger")();
    const ask = (handle: string) =>
      session.preflight({ ...made.asked, live: [handle], former: { handle, value: own.value } });
    expect(await ask(own.handle)).toEqual([]);
    const others = writtenHandle({ accessor: revealField(other, "accessor"), mark: "none" });
    for (const wrong of [others, writtenHandle({ accessor: "11111111-2222-3333-4444-555555555555", mark: "none" })]) {
      const found = await ask(wrong);
      expect(found.map(({ code }) => code)).toEqual(["value_unfit"]);
      expect(found[0]?.detail).toContain(`--field accessor=${readHandle(own.handle).accessor}`);
    }
  });

  test("that is not there is said so, and what it held has ended", async () => {
    const { open, role, asked } = await world();
    const session = await open();
    const first = await makeVersion(session, 1, []);
    await vault().must("DELETE", role);
    expect((await session.preflight(asked)).map(({ code }) => code)).toEqual(["principal_missing"]);
    expect((await failing(makeVersion(session, 2, []))).code).toBe("principal_missing");
    expect(await session.list()).toEqual([]);
    await session.revoke(effectOn(first.handle));
    await session.abandon(effectOn(first.handle, { operationKey: first.intent.operationKey }));
  });

  test("that lets nobody in from here proves nothing", async () => {
    const { open, set } = await world();
    const session = await open();
    const dead = await makeVersion(session, 1, []);
    const live = await makeVersion(session, 2, [dead.handle]);
    await session.revoke(effectOn(dead.handle));
    await set({ secret_id_bound_cidrs: ["192.0.2.0/24"] });
    for (const { handle, value } of [dead, live])
      expect(await session.probe({ handle, value, control: live.value })).toMatchObject({ verdict: "unknown" });
  });
});

describe("tokens", () => {
  test("of two secret ids that persons made are ended only when one is left that they can be of", async () => {
    const made = await world();
    const session = await made.open();
    const [first, other] = [await ability(made, "makeFirstByHand")(), await ability(made, "makeStranger")()];
    const token = await ability(made, "openSession")(first.value);
    await session.revoke(effectOn(first.handle));
    expect(await session.endSessions?.(effectOn(first.handle))).toEqual({ ended: 0, remaining: 1 });
    expect(await token.isOpen()).toBe(true);
    await session.revoke(effectOn(revealField(other, "accessor")));
    expect(await session.endSessions?.(effectOn(first.handle))).toEqual({ ended: 1, remaining: 0 });
    expect(await token.isOpen()).toBe(false);
  });

  test("outlive their secret id at Vault, and are ended by the mark that they inherit", async () => {
    const made = await world();
    const session = await made.open();
    const { handle, value } = await makeVersion(session, 1, []);
    const token = await ability(made, "openSession")(value);
    await session.revoke(effectOn(handle));
    expect([await made.logsIn(value), await token.isOpen()]).toEqual(["refused", true]);
    expect(await session.endSessions?.(effectOn(handle))).toEqual({ ended: 1, remaining: 0 });
    expect(await token.isOpen()).toBe(false);
  });

  test("of a probe are gone when it has answered", async () => {
    const { open, mount } = await world();
    const session = await open();
    const { handle, value } = await makeVersion(session, 1, []);
    const leases = async () =>
      (await vault().call("GET", `sys/leases/lookup/auth/${mount}/login?list=true`)).body["data"];
    const before = await leases();
    expect((await session.probe({ handle, value })).verdict).toBe("accepted");
    expect(await leases()).toEqual(before);
  });

  test("of the connection's own login are ended at the close", async () => {
    const { open, mount } = await world();
    const session = await open();
    await session.identify();
    await session.close();
    expect((await vault().call("GET", `sys/leases/lookup/auth/${mount}/login?list=true`)).status).toBe(404);
  });
});

describe("Vault", () => {
  test("that is sealed is waited for, and nothing is minted twice by it", async () => {
    const { open, listBehindBack } = await world();
    const session = await open();
    await session.identify();
    await vault().seal();
    try {
      for (const work of [() => makeVersion(session, 1, []), () => session.list(), () => session.identify()])
        expect(await failing(work())).toMatchObject({ name: "TransientError", code: "system_sealed" });
    } finally {
      await vault().unseal();
    }
    await makeVersion(session, 1, []);
    expect(await listBehindBack()).toHaveLength(1);
  });

  test("locks a role by five wrong tries, and our own probes never do", async () => {
    const made = await world();
    const session = await made.open();
    const live = await makeVersion(session, 1, []);
    const dead = await makeVersion(session, 2, [live.handle]);
    await session.revoke(effectOn(dead.handle));
    for (let round = 0; round < 8; round++) {
      const asked = { handle: dead.handle, value: dead.value, control: live.value };
      expect((await session.probe(asked)).verdict).toBe("refused");
      expect((await session.probe({ handle: live.handle, value: live.value })).verdict).toBe("accepted");
    }
    expect(await made.logsIn(live.value)).toBe("accepted");
  });
});

test("what has ended is seen so without a login where no living version can log in beside it, so that nobody is locked out", async () => {
  const made = await world();
  const session = await made.open();
  const live = await makeVersion(session, 1, []);
  const dead = await makeVersion(session, 2, [live.handle]);
  await session.revoke(effectOn(dead.handle));
  for (let round = 0; round < 8; round++)
    expect(await session.probe({ handle: dead.handle, value: dead.value })).toEqual({
      verdict: "refused",
      code: "invalid_secret_id",
      controls: [
        { control: "catalogue", answer: "ended" },
        { control: "the connection's own login", answer: "accepted" },
      ],
    });
  expect(await made.logsIn(live.value)).toBe("accepted");
  expect((await session.probe({ handle: live.handle, value: live.value })).verdict).toBe("accepted");
});

describe("what a version is called", () => {
  test("is its accessor and its mark, and the accessor alone where a person made it", () => {
    const given: Value = { role_id: "r", secret_id: "s", accessor: "a-b-c" };
    const adopted = complete({ address: "" }, { mount: "approle", role: "orders" }, given);
    expect(writtenHandle({ accessor: "a-b-c", mark: String(adopted["mark"]) })).toBe("a-b-c");
    for (const handle of ["a-b-c", "a-b-c.0011aa"]) expect(writtenHandle(readHandle(handle))).toBe(handle);
  });

  test("is read out of its metadata as it was written there", () => {
    const mark = { instance: "i", credential: "c", operationKey: "o", claim: { epoch: 2, number: 7 }, mark: "m" };
    expect(readMark(writtenMark(mark))).toEqual(mark);
    for (const change of [{ rekey_claim: "7" }, { rekey_mark: "none" }])
      expect(readMark({ ...writtenMark(mark), ...change })).toBeUndefined();
    expect(readMark({ team: "shop" })).toBeUndefined();
  });
});
