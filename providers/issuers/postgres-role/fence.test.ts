import { beforeAll, expect, test } from "vitest";
import { RekeyError } from "../../../domain/errors.ts";
import { makePair, newSecret, onEachRelease, type IssuerServer } from "../../../test/harness/postgres-issuer.ts";
import {
  effectOn,
  issueVersion,
  nextClaim,
  openRole,
  passwordOf,
  valueOf,
} from "../../../test/harness/postgres-role.ts";
import type { IssuerSession } from "../../contract/issuer.ts";
import { readComment, writeComment } from "./mark.ts";

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  async function opened() {
    const pair = await makePair(server);
    const [a, b] = pair.logins;
    const config = { owner: pair.owner, logins: pair.logins, database: "orders" };
    await server.ask(`GRANT CONNECT ON DATABASE orders TO ${pair.admin.user}`);
    /** As another worker would hold it; in another database, where no advisory lock of the first would be seen. */
    const open = (database = "postgres") => openRole(server, pair.admin, config, { connection: { database } });
    const first = { handle: `${a}/1`, value: valueOf(server, a, pair.password) };
    return { ...pair, a, b, open, first };
  }

  async function commentOf(role: string): Promise<string> {
    const [row] = await server.ask(`SELECT shobj_description('${role}'::regrole, 'pg_authid') AS c`);
    return typeof row?.["c"] === "string" ? row["c"] : "";
  }

  const codeOf = async (work: Promise<unknown> | undefined): Promise<string> =>
    (work ?? Promise.resolve()).then(
      () => "done",
      (error: unknown) => (error instanceof RekeyError ? error.code : String(error)),
    );

  /** Version 1 ended in the first login, version 2 live in the second, version 3 live in the first. */
  async function withThird() {
    const stale = nextClaim();
    const made = await opened();
    const session = await made.open();
    const second = await issueVersion(session, 2, [made.first.handle]);
    await session.revoke(effectOn(made.first.handle));
    const third = await issueVersion(session, 3, [second.handle]);
    return { ...made, session, second, third, stale };
  }

  test("invariant 7: many attempts at once end as the newest says, and every other is told", async () => {
    const { b, open, first } = await opened();
    const sessions = await Promise.all(["postgres", "orders", "postgres", "orders"].map((database) => open(database)));
    const attempts = sessions.flatMap((session) => [session, session, session]);
    const claims = attempts.map(() => nextClaim());
    const shuffled = claims.toSorted((x, y) => ((x.number * 7) % 12) - ((y.number * 7) % 12));
    const values = new Map(claims.map(({ number }) => [number, valueOf(server, b, newSecret())]));
    const codes = await Promise.all(
      attempts.map(async (session, at) => {
        const claim = shuffled[at] ?? nextClaim();
        const chosen = values.get(claim.number) ?? {};
        return codeOf(session.issue({ handle: `${b}/2`, operationKey: "key-2", claim, keep: [first.handle], chosen }));
      }),
    );
    expect(codes.filter((code) => code !== "done" && code !== "claim_outdated")).toEqual([]);
    const newest = claims.at(-1);
    expect(readComment(await commentOf(b)).mark).toMatchObject({ claim: newest, version: 2 });
    expect(await server.logsIn(b, passwordOf(values.get(newest?.number ?? 0) ?? {}))).toBe("accepted");
    await Promise.all(sessions.map((session) => session.close()));
  });

  test.each([
    ["changed the role, and loses the row", (role: string) => `ALTER ROLE "${role}"`],
    ["only locked it, and reads on", (role: string) => `SELECT 1 FROM pg_authid WHERE rolname = '${role}' FOR UPDATE`],
  ])("invariant 7: an attempt that waited for one who %s, sees who won", async (_, lock) => {
    const { a, session, third, first, stale } = await withThird();
    const winner = await server.openSession(server.superuser.user, server.superuser.password, { database: "postgres" });
    await winner.query(`BEGIN; ${lock(a)}`);
    const late = codeOf(session.disable?.(effectOn(third.handle, { claim: nextClaim() })));
    await untilWaiting(a);
    const comment = readComment(await commentOf(a));
    if (comment.mark === undefined || comment.mark === "unreadable") throw new Error("no mark");
    const claim = { epoch: 1, number: nextClaim().number };
    const text = writeComment(comment, { ...comment.mark, claim });
    await winner.query(`COMMENT ON ROLE "${a}" IS '${text.replaceAll("'", "''")}'; COMMIT`);
    expect(await late).toBe("claim_outdated");
    expect(await server.logsIn(a, passwordOf(third.value))).toBe("accepted");
    expect(await codeOf(session.revoke(effectOn(first.handle, { claim: stale })))).toBe("claim_outdated");
    await session.close();
  });

  /** Some backend waits for another's transaction. */
  async function untilWaiting(role: string): Promise<void> {
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${role}%'`;
    while ((await server.ask(waiting)).length === 0);
  }

  test("invariant 7: whatever of version 1 arrives when version 3 lives in its slot is refused", async () => {
    const { a, open, session, first, third, stale } = await withThird();
    const late = await open("orders");
    const shop = await server.openSession(a, passwordOf(third.value));
    const before = await commentOf(a);
    const calls = (claim: { epoch: number; number: number }): readonly (() => Promise<unknown> | undefined)[] => [
      () => late.revoke(effectOn(first.handle, { claim })),
      () => late.disable?.(effectOn(first.handle, { claim })),
      () => late.enable?.({ ...effectOn(first.handle, { claim }), value: first.value }),
    ];
    for (const call of calls(stale)) expect(await codeOf(call())).toBe("claim_outdated");
    for (const call of calls(nextClaim())) expect(await codeOf(call())).toBe("handle_taken");
    const again = { handle: first.handle, operationKey: "key-1", keep: [], chosen: first.value };
    for (const claim of [stale, nextClaim()])
      expect(await codeOf(late.issue({ ...again, claim }))).toBe("claim_outdated");
    expect(await codeOf(late.abandon(effectOn(first.handle, { claim: stale })))).toBe("claim_outdated");
    await late.abandon(effectOn(first.handle));
    expect(await codeOf(late.endSessions?.(effectOn(first.handle, { claim: stale })))).toBe("claim_outdated");
    expect(await late.endSessions?.(effectOn(first.handle))).toEqual({ ended: 0, remaining: 0 });
    expect(await commentOf(a)).toBe(before);
    expect(await server.logsIn(a, passwordOf(third.value))).toBe("accepted");
    expect((await shop.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await Promise.all([session.close(), late.close()]);
  });

  test("invariant 7: an issue on its way cannot land after the candidate was abandoned", async () => {
    const { b, open, first } = await opened();
    const session: IssuerSession = await open();
    const chosen = await session.choose?.({ operationKey: "key-2", version: 2, keep: [first.handle] });
    const { handle = "", value = {} } = chosen ?? {};
    const request = { handle, operationKey: "key-2", keep: [first.handle], chosen: value };
    const onItsWay = nextClaim();
    await session.abandon(effectOn(handle, { operationKey: "key-2" }));
    expect(await codeOf(session.issue({ ...request, claim: onItsWay }))).toBe("claim_outdated");
    expect(await server.logsIn(b, passwordOf(value))).toBe("28P01");
    // A turn taken after that may: the undo has turned forward again.
    expect(await codeOf(session.issue({ ...request, operationKey: "another", claim: nextClaim() }))).toBe(
      "handle_taken",
    );
    expect(await codeOf(session.issue({ ...request, claim: nextClaim() }))).toBe("done");
    expect(await server.logsIn(b, passwordOf(value))).toBe("accepted");
    await session.close();
  });

  test("a repeat under its own claim is success, though a claim of another epoch is not", async () => {
    const { open, first } = await opened();
    const session = await open();
    const claim = nextClaim();
    await session.disable?.(effectOn(first.handle, { claim }));
    await session.disable?.(effectOn(first.handle, { claim }));
    const restored = { epoch: 2, number: 1 };
    await session.enable?.({ ...effectOn(first.handle, { claim: restored }), value: first.value });
    expect(await codeOf(session.disable?.(effectOn(first.handle)))).toBe("claim_outdated");
    await session.close();
  });

  test("a role that another session holds for long is a passing trouble, and stays as it was", async () => {
    const { a, open, first, password } = await opened();
    const session = await open();
    const holder = await server.openSession(server.superuser.user, server.superuser.password, { database: "postgres" });
    await holder.query(`BEGIN; ALTER ROLE "${a}"`);
    await expect(session.revoke(effectOn(first.handle))).rejects.toMatchObject({
      name: "TransientError",
      code: "issuer_unreachable",
    });
    await holder.query("ROLLBACK");
    expect(await server.logsIn(a, password)).toBe("accepted");
    await session.close();
  });

  test("invariant 5: a session that holds its own role to be spared is ended with its version, and only with it", async () => {
    const { a, session, third, first } = await withThird();
    const holder = await server.openSession(a, passwordOf(third.value));
    await holder.query(`SET ROLE none; BEGIN; ALTER ROLE ${a} PASSWORD '${newSecret()}'`);
    expect(await codeOf(session.revoke(effectOn(first.handle)))).toBe("issuer_unreachable");
    expect((await holder.query("SELECT 1 AS one")).rows, "it was no session of version 1").toEqual([{ one: 1 }]);
    await session.revoke(effectOn(third.handle));
    await expect(holder.query("COMMIT")).rejects.toThrow();
    expect(await session.probe(third)).toMatchObject({ verdict: "refused" });
    await session.close();
  });

  test("a role whose mark was taken away is not touched beyond the first version", async () => {
    const { a, session, third, first } = await withThird();
    await server.ask(`COMMENT ON ROLE ${a} IS 'mine'`);
    expect(await codeOf(session.revoke(effectOn(third.handle)))).toBe("handle_taken");
    const findings = await session.preflight({ live: [third.handle], instance: "i", credential: "c" });
    expect(findings.map(({ code }) => code)).toContain("handle_taken");
    await server.ask(`COMMENT ON ROLE ${a} IS 'rekey:{broken'`);
    expect(await codeOf(session.revoke(effectOn(first.handle)))).toBe("handle_taken");
    expect(await server.logsIn(a, passwordOf(third.value))).toBe("accepted");
    await session.close();
  });
});
