import { beforeAll, expect, test } from "vitest";
import {
  makeAdmin,
  makePair,
  newSecret,
  onEachRelease,
  type IssuerServer,
} from "../../../test/harness/postgres-issuer.ts";
import { lookAt } from "../../../test/harness/postgres-role.ts";

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  const codes = (looked: Awaited<ReturnType<typeof lookAt>>) => looked.findings.map(({ code }) => code);

  test("a login with the printed grants has nothing missing and nothing more, and the server says what it is", async () => {
    const { admin } = await makePair(server);
    const looked = await lookAt(server, admin);
    expect(looked.findings).toEqual([]);
    expect(looked.identity).toMatch(/^postgresql:\d+$/);
    expect(looked.about).toBe(
      `PostgreSQL ${String(Math.trunc(server.version / 10_000))}.${server.version % 100}, without TLS`,
    );
    expect(Math.abs(Date.parse(looked.at) - Date.now())).toBeLessThan(60_000);
  });

  test.each([
    ["SUPERUSER", "is a superuser"],
    ["CREATEDB", "may create databases"],
    ["REPLICATION", "REPLICATION"],
    ["BYPASSRLS", "row security"],
  ])("more than that is named with the statement that takes it away: %s", async (attribute, words) => {
    const { admin } = await makePair(server);
    await server.ask(`ALTER ROLE ${admin.user} ${attribute}`);
    const { findings } = await lookAt(server, admin);
    expect(findings).toMatchObject([
      {
        code: "right_unneeded",
        detail: expect.stringContaining(words),
        mend: expect.stringContaining(`NO${attribute}`),
      },
    ]);
    await server.ask(findings[0]?.mend ?? "");
    expect(codes(await lookAt(server, admin))).toEqual([]);
  });

  test("so are the rights of another role, and not the membership that only administers", async () => {
    const { admin } = await makePair(server);
    await server.ask(`GRANT pg_read_all_data TO ${admin.user}`);
    const { findings } = await lookAt(server, admin);
    expect(findings).toMatchObject([
      { code: "right_unneeded", mend: `REVOKE "pg_read_all_data" FROM "${admin.user}";` },
    ]);
    await server.ask(findings[0]?.mend ?? "");
    expect(codes(await lookAt(server, admin))).toEqual([]);
  });

  test("the first superuser cannot be made less: a login of its own is asked for", async () => {
    const { findings } = await lookAt(server, server.superuser);
    expect(findings).toMatchObject([
      { code: "right_unneeded", mend: expect.stringContaining("CREATE ROLE rekey_admin") },
    ]);
  });

  test("each missing grant is named, and the statements mend them", async () => {
    const admin = {
      user: `bare_${newSecret()
        .slice(0, 6)
        .toLowerCase()
        .replaceAll(/[^a-z0-9]/g, "x")}`,
      password: newSecret(),
    };
    await makeAdmin(server, admin, []);
    await server.ask(`ALTER ROLE ${admin.user} NOCREATEROLE; REVOKE pg_signal_backend, pg_monitor FROM ${admin.user};`);
    const { findings } = await lookAt(server, admin);
    expect(findings.map(({ code }) => code)).toEqual(["right_missing", "right_missing", "right_missing"]);
    for (const { mend } of findings) await server.ask(mend ?? "");
    expect(codes(await lookAt(server, admin))).toEqual([]);
  });

  test("an exception of TLS is named; a wrong password and a wrong address are errors in words", async () => {
    const { admin } = await makePair(server);
    expect(codes(await lookAt(server, admin, { tls: { mode: "off", unverified: true } }))).toEqual([
      "transport_unverified",
    ]);
    await expect(lookAt(server, { ...admin, password: newSecret() })).rejects.toMatchObject({
      code: "issuer_auth_failed",
    });
    await expect(lookAt(server, admin, { port: 1 })).rejects.toMatchObject({ code: "issuer_unreachable" });
  });
});
