import { beforeAll, expect, test } from "vitest";
import {
  barred,
  makePair,
  newSecret,
  onEachRelease,
  trusted,
  type IssuerServer,
} from "../../../test/harness/postgres-issuer.ts";
import { effectOn, issueVersion, openRole, valueOf, wrongOf } from "../../../test/harness/postgres-role.ts";

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  async function opened(how: { suffix?: string; database?: string; connection?: Record<string, unknown> } = {}) {
    const pair = await makePair(server, how.suffix === undefined ? {} : { suffix: how.suffix });
    const [a, b] = pair.logins;
    const config = { owner: pair.owner, logins: pair.logins, database: how.database ?? "orders" };
    const session = await openRole(server, pair.admin, config, { connection: how.connection ?? {} });
    const first = { handle: `${a}/1`, value: valueOf(server, a, pair.password) };
    const second = await issueVersion(session, 2, [first.handle]);
    return { ...pair, a, b, session, first, second };
  }

  /** Version 1 revoked, version 2 live. */
  async function withDead(how: Parameters<typeof opened>[0] = {}) {
    const made = await opened(how);
    await made.session.revoke(effectOn(made.first.handle));
    return { ...made, dead: { ...made.first, control: made.second.value } };
  }

  const unknown = (code: string) => ({ verdict: "unknown", code });

  test("invariant 5: dead is 28P01 after the challenge, with a live login accepted and the catalogue agreeing", async () => {
    const { session, dead } = await withDead();
    expect(await session.probe(dead)).toEqual({
      verdict: "refused",
      code: "28P01",
      controls: [
        { control: "the newest live version", answer: "accepted" },
        { control: "the catalogue", answer: "ended" },
      ],
    });
    await session.close();
  });

  test("invariant 5: without a live version the connection's own login is the control", async () => {
    const { session, first, second } = await withDead();
    await session.revoke(effectOn(second.handle));
    expect(await session.probe(first)).toMatchObject({
      verdict: "refused",
      controls: [{ control: "the connection's own login", answer: "accepted" }, { answer: "ended" }],
    });
    await session.close();
  });

  test("invariant 5: a trust line accepts anything and proves nothing, for everybody or for one login", async () => {
    const everybody = await withDead({ database: "trusting" });
    expect(await everybody.session.probe(everybody.second)).toMatchObject(unknown("not_challenged"));
    expect(await everybody.session.probe(everybody.dead)).toMatchObject(unknown("28000"));
    await everybody.session.close();
    const { b, session, second, dead } = await withDead();
    await server.ask(`GRANT ${trusted} TO ${b}`);
    expect(await server.logsIn(b, "anything"), "the line is in force").toBe("accepted");
    expect(await session.probe(second)).toMatchObject(unknown("not_challenged"));
    expect(await session.probe({ ...second, value: wrongOf(second.value) })).toMatchObject(unknown("not_challenged"));
    expect(await session.probe(dead)).toMatchObject(unknown("control_not_accepted"));
    await session.close();
  });

  test("invariant 5: an acceptance without a refused wrong password is unknown", async () => {
    // One line of the server's rules trusts a role of this name.
    const { session, second } = await opened({ suffix: "lonely" });
    expect(await session.probe(second)).toEqual({
      ...unknown("wrong_password_not_refused"),
      controls: [{ control: "a random wrong password", answer: "28000" }],
    });
    await session.close();
  });

  test("invariant 5: an access rule, a full limit, a locked or expired login are unknown", async () => {
    const { a, b, session, first, second } = await opened();
    const asked = { ...first, control: second.value };
    await server.ask(`ALTER ROLE ${a} CONNECTION LIMIT 0`);
    expect(await session.probe(asked)).toMatchObject(unknown("53300"));
    await server.ask(`ALTER ROLE ${a} CONNECTION LIMIT -1; ALTER ROLE ${a} VALID UNTIL '2001-01-01'`);
    expect(await session.probe(asked)).toMatchObject(unknown("catalogue_unmarked"));
    await server.ask(`ALTER ROLE ${a} VALID UNTIL 'infinity'; ALTER ROLE ${a} NOLOGIN`);
    expect(await session.probe(asked)).toMatchObject(unknown("28000"));
    await server.ask(`ALTER ROLE ${a} LOGIN; GRANT ${barred} TO ${a}`);
    expect(await session.probe(asked)).toMatchObject(unknown("28000"));
    await server.ask(`REVOKE ${barred} FROM ${a}`);
    await session.revoke(effectOn(first.handle));
    expect(await session.probe(asked)).toMatchObject({ verdict: "refused" });
    await server.ask(`GRANT ${barred} TO ${a}`);
    expect(await session.probe(asked), "a rule in front of what is dead").toMatchObject(unknown("28000"));
    await server.ask(`REVOKE ${barred} FROM ${a}; GRANT ${barred} TO ${b}`);
    expect(await session.probe(asked), "a rule in front of the control").toEqual({
      ...unknown("control_not_accepted"),
      controls: [{ control: "the newest live version", answer: "28000" }],
    });
    await server.ask(`REVOKE ${barred} FROM ${b}; ALTER ROLE ${b} CONNECTION LIMIT 0`);
    expect(await session.probe(asked)).toMatchObject(unknown("control_not_accepted"));
    await session.close();
  });

  test("invariant 5: a wrong value of a live version is not a dead version", async () => {
    const { session, first, second } = await opened();
    const wrong = { handle: second.handle, value: wrongOf(second.value), control: first.value };
    expect(await session.probe(wrong)).toMatchObject(unknown("catalogue_live"));
    await session.close();
  });

  test("invariant 5: a session that gives its login another password proves nothing, and enabling takes it back", async () => {
    const { a, session, first, second, password } = await opened();
    const shop = await server.openSession(a, password);
    await session.disable?.(effectOn(first.handle));
    const own = newSecret();
    await shop.query(`SET ROLE none; ALTER ROLE ${a} PASSWORD '${own}'`);
    expect(await session.probe({ ...first, control: second.value })).toMatchObject(unknown("catalogue_live"));
    expect(await server.logsIn(a, own)).toBe("28000");
    await session.enable?.({ ...effectOn(first.handle), value: first.value });
    expect([await server.logsIn(a, own), await server.logsIn(a, password)]).toEqual(["28P01", "accepted"]);
    await shop.query(`ALTER ROLE ${a} PASSWORD '${own}'`);
    expect(await session.probe({ ...first, control: second.value })).toMatchObject(unknown("catalogue_live"));
    await session.revoke(effectOn(first.handle));
    await expect(shop.query("SELECT 1")).rejects.toThrow();
    expect(await server.logsIn(a, own)).toBe("28P01");
    expect(await session.probe({ ...first, control: second.value })).toMatchObject({ verdict: "refused" });
    await session.close();
  });

  test("invariant 5: a client that reconnects in a loop is out, and stays out", async () => {
    const { a, session, first, second, password } = await opened();
    const seen: string[] = [];
    let goesOn = true;
    const loop = (async () => {
      while (goesOn) seen.push(await server.logsIn(a, password));
    })();
    while (!seen.includes("accepted")) await new Promise((resolve) => setImmediate(resolve));
    await session.revoke(effectOn(first.handle));
    const atRevoke = seen.length;
    expect(await session.probe({ ...first, control: second.value })).toMatchObject({ verdict: "refused" });
    expect(await session.endSessions?.(effectOn(first.handle))).toEqual({ ended: 0, remaining: 0 });
    goesOn = false;
    await loop;
    expect(new Set(seen.slice(atRevoke + 1))).toEqual(new Set(["28P01"]));
    await session.close();
  });

  test("a login that was revived, unmarked or dropped by hand is unknown", async () => {
    const { a, session, dead } = await withDead();
    await server.ask(`ALTER ROLE ${a} LOGIN PASSWORD 'another'`);
    expect(await session.probe(dead)).toMatchObject(unknown("catalogue_live"));
    await server.ask(`ALTER ROLE ${a} NOLOGIN PASSWORD NULL; COMMENT ON ROLE ${a} IS NULL`);
    expect(await session.probe(dead)).toMatchObject(unknown("catalogue_unmarked"));
    await server.ask(`REASSIGN OWNED BY ${a} TO keeper; DROP ROLE ${a}`);
    expect(await session.probe(dead)).toMatchObject(unknown("catalogue_missing"));
    await session.close();
  });

  test("a session that does not work as the owner role is not accepted", async () => {
    const { b, owner, session, second } = await opened();
    await server.ask(`ALTER ROLE ${b} RESET role`);
    expect(await session.probe(second)).toMatchObject(unknown("not_as_owner"));
    await server.ask(`ALTER ROLE ${b} SET role = '${owner}'`);
    expect(await session.probe(second)).toMatchObject({ verdict: "accepted" });
    if (server.version >= 160_000) {
      // Only a warning at login: the session goes on as the login itself.
      const grants = await server.ask(
        `SELECT pg_get_userbyid(grantor) AS by FROM pg_auth_members WHERE member = '${b}'::regrole`,
      );
      for (const { by } of grants) await server.ask(`GRANT ${owner} TO ${b} WITH SET FALSE GRANTED BY "${String(by)}"`);
      expect(await session.probe(second)).toMatchObject(unknown("not_as_owner"));
    }
    await session.close();
  });

  test("a server that asks for the clear text is not answered", async () => {
    const { session, first, second } = await opened({ database: "clear" });
    expect(await session.probe(second)).toMatchObject(unknown("clear_text_requested"));
    expect(await session.probe({ ...first, control: second.value })).toMatchObject(unknown("clear_text_requested"));
    await session.close();
  });

  test("over an unverified connection nothing is proven dead, and what is accepted says so", async () => {
    const { session, second, dead } = await withDead({ connection: { tls: { mode: "off", unverified: true } } });
    expect((await session.probe(second)).controls).toContainEqual({ control: "transport", answer: "unverified" });
    expect(await session.probe(dead)).toMatchObject(unknown("transport_unverified"));
    await session.close();
  });

  test("a value of another login, or a control of a stranger, is refused", async () => {
    const { session, first, second } = await opened();
    await expect(session.probe({ handle: first.handle, value: second.value })).rejects.toMatchObject({
      code: "value_unfit",
    });
    const stranger = valueOf(server, "keeper", newSecret());
    await expect(session.probe({ ...first, value: stranger })).rejects.toMatchObject({ code: "value_unfit" });
    await session.close();
  });
});
