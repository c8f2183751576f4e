import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  makePair,
  releases,
  startIssuerServer,
  type IssuerServer,
  type PairOfLogins,
} from "../../../test/harness/postgres-issuer.ts";
import type { EffectRequest, Issued, IssuerSession } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField, type Value } from "../../contract/value.ts";
import { postgresRole } from "./definition.ts";

let turn = 0;
const nextClaim = () => ({ epoch: 1, number: ++turn });
const effect = (handle: string): EffectRequest => ({ handle, operationKey: `key-${turn}`, claim: nextClaim() });

describe.each(releases)("on $name", (release) => {
  let server: IssuerServer;
  let pair: PairOfLogins;
  beforeAll(async () => {
    if (release.missing === undefined) server = await startIssuerServer(release);
  });
  afterAll(() => server?.stop());

  async function open(of: PairOfLogins): Promise<IssuerSession> {
    const { host, port } = server;
    return postgresRole.open(
      {
        connection: postgresRole.connectionSchema.parse({ host, port, database: "postgres", user: of.admin.user }),
        admin: { password: new Secret(of.admin.password) },
        config: postgresRole.configSchema.parse({ owner: of.owner, logins: of.logins, database: "orders" }),
        instance: "ins_1",
        credential: "cre_1",
      },
      { signal: new AbortController().signal, fetch: (() => undefined) as never, log: () => undefined },
    );
  }

  const valueOf = (role: string, password: string): Value => ({
    username: role,
    password: new Secret(password),
    host: server.host,
    port: String(server.port),
    database: "orders",
    url: new Secret("postgresql://x"),
  });

  async function issue(session: IssuerSession, version: number, keep: readonly string[]): Promise<Issued> {
    const operationKey = `key-${version}`;
    const chosen = await session.choose?.({ operationKey, version, keep });
    if (chosen === undefined) throw new Error("no choose");
    return session.issue({ handle: chosen.handle, operationKey, claim: nextClaim(), keep, chosen: chosen.value });
  }

  test("a pair is rotated twice, each former version dies", async () => {
    pair = await makePair(server);
    const [a, b] = pair.logins;
    const session = await open(pair);
    expect(await session.identify()).toMatch(/^postgresql:\d+$/);
    expect(await session.preflight({ live: [`${a}/1`], instance: "ins_1", credential: "cre_1" })).toEqual([]);
    const first = valueOf(a, pair.password);
    const second = await issue(session, 2, [`${a}/1`]);
    expect(second.handle).toBe(`${b}/2`);
    expect(await session.probe({ handle: second.handle, value: second.value })).toMatchObject({ verdict: "accepted" });
    const shop = await server.openSession(a, pair.password);
    expect((await session.usage?.([`${a}/1`, second.handle]))?.sessions).toMatchObject({
      [`${a}/1`]: [{ principal: a, database: "orders", address: "127.0.0.1", applicationName: "shop" }],
      [second.handle]: [],
    });
    await session.disable?.(effect(`${a}/1`));
    expect(await session.probe({ handle: `${a}/1`, value: first, control: second.value })).toMatchObject({
      verdict: "unknown",
      code: "28000",
    });
    await session.enable?.({ ...effect(`${a}/1`), value: first });
    expect(await session.probe({ handle: `${a}/1`, value: first })).toMatchObject({ verdict: "accepted" });
    await session.disable?.(effect(`${a}/1`));
    await session.revoke(effect(`${a}/1`));
    await expect(shop.query("SELECT 1")).rejects.toThrow();
    expect(await session.probe({ handle: `${a}/1`, value: first, control: second.value })).toEqual({
      verdict: "refused",
      code: "28P01",
      controls: [
        { control: "the newest live version", answer: "accepted" },
        { control: "the catalogue", answer: "ended" },
      ],
    });
    const third = await issue(session, 3, [second.handle]);
    expect(third.handle).toBe(`${a}/3`);
    expect(await server.logsIn(a, revealField(third.value, "password"))).toBe("accepted");
    await session.close();
  });
});
