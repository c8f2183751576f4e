import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import pg from "pg";
import { postgresRole } from "../../../providers/issuers/postgres-role/definition.ts";
import type { ProviderContext } from "../../../providers/contract/context.ts";
import type { IssuerSession } from "../../../providers/contract/issuer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { revealField, type Value } from "../../../providers/contract/value.ts";
import { barred, makeAdmin, makePair, newSecret, trusted, type IssuerServer } from "../../harness/postgres-issuer.ts";
import { proxyTcp, type TcpProxy } from "../../harness/proxy/tcp.ts";
import { gate } from "../gate.ts";
import type { IssuerWorld, OpenHow } from "../issuer-world.ts";
import { seenSessions } from "./sessions.ts";

const quoted = pg.escapeIdentifier;
const literal = pg.escapeLiteral;
const owner = { instance: "ins_conformance", credential: "crd_conformance" };
/** The application name of rekey's own logins. */
const ownName = "rekey";

interface Admin {
  readonly user: string;
  readonly password: string;
}

interface Way {
  readonly proxy: TcpProxy;
  readonly admin?: Admin;
  readonly config?: unknown;
  readonly database?: string;
}

function contextOf(how: OpenHow): ProviderContext {
  const fetch = Object.assign(() => Promise.reject(new Error("a database needs no HTTP")), {
    resolve: () => Promise.resolve([]),
  });
  return { signal: how.signal ?? new AbortController().signal, log: how.log ?? (() => undefined), fetch };
}

/** Fresh roles on a real server, reached by the provider through a proxy and by the witness directly. */
export async function makePostgresWorld(
  server: IssuerServer,
  order: "overlap" | "single-slot",
  twin: () => Promise<IssuerServer>,
  twist: (right: IssuerSession, server: IssuerServer) => Partial<IssuerSession> = () => ({}),
): Promise<IssuerWorld> {
  const pair = await makePair(server);
  const slots = order === "overlap" ? pair.logins : [pair.logins[0]];
  const principals = order === "overlap" ? [pair.owner, ...slots] : slots;
  const [firstSlot] = pair.logins;
  // A pair begins empty; a single login is somebody's when it comes to us.
  if (order === "overlap") await server.ask(`ALTER ROLE ${quoted(firstSlot)} NOLOGIN PASSWORD NULL`);
  const config = postgresRole.configSchema.parse(
    order === "overlap"
      ? { owner: pair.owner, logins: pair.logins, database: "orders" }
      : { login: firstSlot, database: "orders" },
  );
  const ends: (() => Promise<unknown>)[] = [];
  const through = async () => {
    const proxy = await proxyTcp(server.port);
    ends.push(() => proxy.close());
    return proxy;
  };
  const main = await through();
  const connectionBy = ({ proxy, admin }: Way) =>
    postgresRole.connectionSchema.parse({
      host: "127.0.0.1",
      port: proxy.port,
      database: "postgres",
      user: (admin ?? pair.admin).user,
    });

  async function open(how: OpenHow, way: Way): Promise<IssuerSession> {
    const session = await postgresRole.open(
      {
        connection: connectionBy(way),
        admin: { password: new Secret((way.admin ?? pair.admin).password) },
        config: postgresRole.configSchema.parse(way.config ?? config),
        instance: how.instance ?? owner.instance,
        credential: how.credential ?? owner.credential,
      },
      contextOf(how),
    );
    ends.unshift(() => session.close());
    return { ...session, ...twist(session, server) };
  }

  const nameOf = (value: Value) => revealField(value, "username");
  const valueOf = (username: string, password: string): Value =>
    postgresRole.complete(connectionBy({ proxy: main }), config, { username, password: new Secret(password) });
  async function setByHand(role: string): Promise<Value> {
    const password = newSecret();
    await server.ask(`ALTER ROLE ${quoted(role)} LOGIN PASSWORD ${literal(password)}`);
    return valueOf(role, password);
  }

  async function look(): Promise<readonly { name: string; isLive: boolean; fingerprint: string }[]> {
    const rows = await server.ask(`
      SELECT rolname AS name, rolcanlogin AND rolpassword IS NOT NULL AS live,
        jsonb_build_array(to_jsonb(a), shobj_description(a.oid, 'pg_authid'),
          (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.setdatabase) FROM pg_db_role_setting s WHERE s.setrole = a.oid),
          (SELECT jsonb_agg(roleid::regrole::text ORDER BY roleid) FROM pg_auth_members m WHERE m.member = a.oid))::text AS all
      FROM pg_authid a WHERE rolname IN (${principals.map(literal).join(", ")}) ORDER BY rolname`);
    return rows.map((row) => ({
      name: String(row["name"]),
      isLive: row["live"] === true,
      fingerprint: createHash("sha256").update(String(row["all"])).digest("hex"),
    }));
  }

  const sessions = seenSessions(server);
  ends.push(() => sessions.close());
  const lacks = (reason: string) => ({ lacks: reason });

  return {
    definition: postgresRole,
    connection: connectionBy({ proxy: main }),
    config,
    ...owner,
    open: (how = {}) => open(how, { proxy: main }),
    logsIn: async (value) =>
      (await server.logsIn(nameOf(value), revealField(value, "password"))) === "accepted" ? "accepted" : "refused",
    listBehindBack: look,
    nameOf,
    settle: () => Promise.resolve(),
    abilities: {
      async acceptEverything() {
        await server.ask(principals.map((role) => `GRANT ${trusted} TO ${quoted(role)};`).join(" "));
      },
      async refuseByRule(values) {
        await server.ask(values.map((value) => `GRANT ${barred} TO ${quoted(nameOf(value))};`).join(" "));
      },
      takeDown: () => main.takeDown(),
      bringUp: () => main.bringUp(),
      async fillConnectionLimit(value) {
        await server.ask(`ALTER ROLE ${quoted(nameOf(value))} CONNECTION LIMIT 1`);
        await sessions.open(value, "shop");
      },
      lockOut: lacks("PostgreSQL locks nobody out"),
      async wrongTriesOn(value) {
        // The server's log is the only one who counts them. A refusal is in it before the client hears of it.
        const log = await readFile(join(dirname(server.socketFolder), "postgres.log"), "utf8");
        return log.split(`password authentication failed for user "${nameOf(value)}"`).length - 1;
      },
      async makeStranger() {
        const live = new Set((await look()).filter(({ isLive }) => isLive).map(({ name }) => name));
        return setByHand(slots.find((name) => !live.has(name)) ?? firstSlot);
      },
      async makeFirstByHand() {
        const value = await setByHand(firstSlot);
        return { value, handle: postgresRole.handleOf(config, value, 1) };
      },
      changeSecretByHand:
        order === "overlap"
          ? async (value) => void (await server.ask(`ALTER ROLE ${quoted(nameOf(value))} PASSWORD 'changed-by-hand'`))
          : lacks("a single login is not disabled"),
      openSession: (value, how) => sessions.open(value, how?.disguised === true ? ownName : "shop"),
      openSessionsOf: (value) => sessions.countOf(value),
      openStubbornSession: (value) => sessions.openFrozen(value),
      async holdNextEffect() {
        const [until, release] = gate();
        const proxy = await through();
        const onItsWay = proxy
          .meet((bytes) => bytes.includes("BEGIN ISOLATION LEVEL"), { do: "delay", until })
          .then(() => undefined);
        ends.unshift(() => Promise.resolve(release()));
        return { session: await open({}, { proxy }), onItsWay, release };
      },
      async loseNextAnswer() {
        const proxy = await through();
        const isCommit = (bytes: Buffer) => bytes.includes("COMMIT\0");
        void proxy.meet(isCommit, { do: "lose-answer", answer: isCommit });
        return open({}, { proxy });
      },
      async clock() {
        const [row] = await server.ask("SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms");
        return new Date(Number(row?.["ms"])).toISOString();
      },
      takeRight: async () => void (await server.ask(`ALTER ROLE ${quoted(pair.admin.user)} NOCREATEROLE`)),
      openWithWrongAdmin: () => open({}, { proxy: main, admin: { user: pair.admin.user, password: newSecret() } }),
      openOnOwnPrincipal: () => {
        const { user } = pair.admin;
        const own =
          order === "overlap"
            ? { owner: pair.owner, logins: [user, pair.logins[1]], database: "orders" }
            : { login: user, database: "orders" };
        return open({}, { proxy: main, config: own });
      },
      async openOnTwin() {
        const other = await twin();
        const admin = { user: `admin_${newSecret()}`.slice(0, 20), password: newSecret() };
        await makeAdmin(other, admin, []);
        const proxy = await proxyTcp(other.port);
        ends.push(() => proxy.close());
        return open({}, { proxy, admin });
      },
      mintNext: lacks("rekey chooses the value"),
    },
    async close() {
      for (const end of ends) await end();
    },
  };
}
