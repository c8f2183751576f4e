import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import pg from "pg";
import { beforeAll, expect, test } from "vitest";
import { makeAdmin, newSecret, onEachRelease, type IssuerServer } from "../../../test/harness/postgres-issuer.ts";
import {
  effectOn,
  issueVersion,
  nextClaim,
  openRole,
  passwordOf,
  valueOf,
} from "../../../test/harness/postgres-role.ts";

/** A connection that is there already, for a client that wants to open its own. */
function begun(socket: Socket): Socket {
  socket.connect = () => {
    process.nextTick(() => socket.emit("connect"));
    return socket;
  };
  return socket;
}

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  async function opened() {
    const login = `one_${randomBytes(5).toString("hex")}`;
    const [password, admin] = [newSecret(), { user: `adm_${login}`, password: newSecret() }];
    await server.ask(`CREATE ROLE ${login} LOGIN PASSWORD '${password}'`);
    await makeAdmin(server, admin, [login]);
    const session = await openRole(server, admin, { login, database: "orders" });
    const first = { handle: `${login}/1`, value: valueOf(server, login, password) };
    const state = async () => (await server.ask(`SELECT * FROM pg_authid WHERE rolname = '${login}'`))[0];
    return { login, password, admin, session, first, state };
  }

  test("the new value takes the place of the former, which is refused under controls", async () => {
    const { login, session, first, password } = await opened();
    expect(await session.preflight({ live: [first.handle], instance: "i", credential: "c" })).toEqual([]);
    expect([session.disable, session.enable]).toEqual([undefined, undefined]);
    const second = await issueVersion(session, 2, [first.handle]);
    expect(second.handle).toBe(`${login}/2`);
    expect(await server.logsIn(login, password)).toBe("28P01");
    expect(await session.probe(second)).toMatchObject({ verdict: "accepted" });
    await session.revoke(effectOn(first.handle));
    expect(await session.probe({ ...first, control: second.value })).toMatchObject({
      verdict: "refused",
      controls: [{ answer: "accepted" }, { control: "the catalogue", answer: "replaced" }],
    });
    const [listed, ...others] = await session.list();
    expect(listed).toMatchObject({ handle: second.handle, state: "live", ours: true });
    // Of the transaction, which ends before the clock is read again.
    expect(Date.parse(listed?.effectiveAt ?? "")).toBeLessThanOrEqual(Date.parse(second.effectiveAt));
    expect(others).toEqual([]);
    await session.close();
  });

  test("sessions begun before the cut are told from later ones by the server's clock, and only they are ended", async () => {
    const { login, session, first, password } = await opened();
    const old = await server.openSession(login, password);
    const second = await issueVersion(session, 2, [first.handle]);
    const current = await server.openSession(login, passwordOf(second.value), { name: "new" });
    const usage = await session.usage?.([first.handle, second.handle]);
    const seen = usage?.sessions[first.handle] ?? [];
    expect(usage?.sessions[second.handle]).toEqual(seen);
    const at = Date.parse(second.effectiveAt);
    const isBefore = seen.map(
      ({ applicationName, startedAt }) => [applicationName, Date.parse(startedAt) < at] as const,
    );
    expect(Object.fromEntries(isBefore)).toEqual({ new: false, shop: true });
    const before = second.effectiveAt;
    expect(await session.endSessions?.({ ...effectOn(first.handle), before })).toEqual({ ended: 1, remaining: 0 });
    await expect(old.query("SELECT 1")).rejects.toThrow();
    expect((await current.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await session.close();
  });

  test("the former value can be set again, however often, and the candidate is refused then", async () => {
    const { login, session, first, password } = await opened();
    const second = await issueVersion(session, 2, [first.handle]);
    const request = effectOn(second.handle);
    await session.abandon({ ...request, restore: first });
    await session.abandon({ ...request, restore: first });
    await session.abandon({ ...effectOn(second.handle), restore: first });
    expect(await server.logsIn(login, password)).toBe("accepted");
    expect(await session.probe({ ...second, control: first.value })).toMatchObject({ verdict: "refused" });
    const third = await issueVersion(session, 3, [first.handle]);
    expect(await server.logsIn(login, passwordOf(third.value))).toBe("accepted");
    const late = { handle: first.handle, operationKey: "key-1", keep: [], chosen: first.value };
    await expect(session.issue({ ...late, claim: nextClaim() })).rejects.toMatchObject({ code: "claim_outdated" });
    await session.close();
  });

  test("the times of cut and return are told, however often, and a candidate that never landed leaves none", async () => {
    const { session, first } = await opened();
    const never = effectOn(first.handle.replace(/1$/, "2"));
    const longAgo = { effectiveAt: new Date(0).toISOString() };
    expect(await session.abandon({ ...never, restore: first })).toEqual(longAgo);
    expect(await session.abandon({ ...never, restore: first })).toEqual(longAgo);
    const third = await issueVersion(session, 3, [first.handle]);
    const [listed] = await session.list();
    const back = await session.abandon({ ...effectOn(third.handle), restore: first });
    expect(Date.parse(back?.effectiveAt ?? "")).toBeGreaterThanOrEqual(Date.parse(listed?.effectiveAt ?? ""));
    expect(await session.abandon({ ...effectOn(third.handle), restore: first })).toEqual(back);
    expect(await session.list()).toMatchObject([{ handle: first.handle, ...back }]);
    // A later candidate that never landed leaves the former version's time as it is.
    const fourth = effectOn(first.handle.replace(/1$/, "4"));
    expect(await session.abandon({ ...fourth, restore: first })).toEqual(back);
    await session.close();
  });

  test("a client that had begun to log in before the former value came back, and got in by it, has to come again", async () => {
    const { login, session, first, password, state } = await opened();
    const second = await issueVersion(session, 2, [first.handle]);
    const candidate = await state();
    // The server counts a session from the first byte of its connection.
    const socket = connect(server.port, server.host);
    await once(socket, "connect");
    const abandoning = session.abandon({ ...effectOn(second.handle), restore: first });
    while (isDeepStrictEqual(await state(), candidate)) await setImmediate();
    const slow = new pg.Client({ user: login, password, database: "orders", stream: () => begun(socket) });
    slow.on("error", () => undefined);
    await slow.connect();
    const back = await abandoning;
    await expect(slow.query("SELECT 1")).rejects.toThrow();
    const usage = await session.usage?.([first.handle]);
    const left = (usage?.sessions[first.handle] ?? []).filter(({ startedAt }) => startedAt < (back?.effectiveAt ?? ""));
    expect(left).toEqual([]);
    await session.close();
  });

  test("invariant 7: a cut on its way cannot land after it was abandoned", async () => {
    const { login, session, first, password, state } = await opened();
    const chosen = await session.choose?.({ operationKey: "key-2", version: 2, keep: [first.handle] });
    const { handle = "", value = {} } = chosen ?? {};
    const claim = nextClaim();
    const before = await state();
    await session.abandon({ ...effectOn(handle), restore: first });
    expect(await state()).toEqual(before);
    const cut = { handle, operationKey: "key-2", keep: [first.handle], chosen: value, claim };
    await expect(session.issue(cut)).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await server.logsIn(login, password)).toBe("accepted");
    await session.close();
  });

  test("without a value to restore, abandoning ends the candidate; before it landed, it ends nothing", async () => {
    const { login, session, first, password } = await opened();
    await session.abandon(effectOn(`${login}/2`));
    expect(await server.logsIn(login, password)).toBe("accepted");
    expect(await session.list()).toEqual([{ handle: first.handle, state: "live", ours: false }]);
    const second = await issueVersion(session, 2, [first.handle]);
    await session.abandon(effectOn(second.handle));
    expect(await server.logsIn(login, passwordOf(second.value))).toBe("28P01");
    const third = await issueVersion(session, 3, []);
    expect(await server.logsIn(login, passwordOf(third.value))).toBe("accepted");
    await session.close();
  });

  test("a login that somebody locked stays locked, and one that expires is found", async () => {
    const { login, session, first } = await opened();
    const look = () => session.preflight({ live: [first.handle], instance: "i", credential: "c" });
    await server.ask(`ALTER ROLE ${login} NOLOGIN`);
    expect(await look()).toMatchObject([{ code: "principal_mismatch", mend: `ALTER ROLE "${login}" LOGIN;` }]);
    await expect(issueVersion(session, 2, [first.handle])).rejects.toMatchObject({ code: "no_free_slot" });
    await server.ask(`ALTER ROLE ${login} LOGIN VALID UNTIL 'tomorrow'`);
    const [finding] = await look();
    expect(finding).toMatchObject({ code: "principal_mismatch" });
    await server.ask(finding?.mend ?? "");
    expect(await look()).toEqual([]);
    await session.close();
  });

  test("the last version can be revoked too, and all its sessions go", async () => {
    const { login, session, first, password } = await opened();
    const second = await issueVersion(session, 2, [first.handle]);
    const shop = await server.openSession(login, passwordOf(second.value));
    await session.revoke(effectOn(second.handle));
    await expect(shop.query("SELECT 1")).rejects.toThrow();
    expect(await session.probe(second)).toMatchObject({ verdict: "refused" });
    expect(await server.logsIn(login, password)).toBe("28P01");
    await session.close();
  });

  test("a former value cannot be set on another login, nor a later one as the former", async () => {
    const { session, first, login } = await opened();
    const second = await issueVersion(session, 2, [first.handle]);
    const unfit = { code: "value_unfit" };
    const restore = (handle: string, value = first.value) =>
      session.abandon({ ...effectOn(second.handle), restore: { handle, value } });
    await expect(restore(`${login}/3`)).rejects.toMatchObject(unfit);
    await expect(restore(first.handle, valueOf(server, "keeper", newSecret()))).rejects.toMatchObject(unfit);
    expect(await session.probe(second)).toMatchObject({ verdict: "accepted" });
    await session.close();
  });
});
