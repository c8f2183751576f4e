import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { IssuerDefinition, IssuerSession } from "../../../providers/contract/issuer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { revealField, type Value } from "../../../providers/contract/value.ts";
import type { IssuerWorld, OpenHow } from "../issuer-world.ts";
import { gate } from "../gate.ts";
import { lastUseFacts, withLastUse } from "./last-use.ts";
import { referenceIssuer, type ReferenceConfig } from "./issuer.ts";
import { ReferenceServer } from "./server.ts";
import { slotHandle } from "./slots.ts";
import { wireTo, type Trouble } from "./wire.ts";

export type Shape = "two slots" | "one slot" | "minted" | "minted, with last use";

const slotsOf: Readonly<Record<Shape, readonly string[]>> = {
  "two slots": ["orders_a", "orders_b"],
  "one slot": ["orders"],
  minted: [],
  "minted, with last use": [],
};

/** A wrong issuer changes the definition or its sessions, in one small way. */
export interface Twist {
  definition?(right: IssuerDefinition<unknown, ReferenceConfig>): Partial<IssuerDefinition<unknown, ReferenceConfig>>;
  session?(right: IssuerSession, server: ReferenceServer): Partial<IssuerSession>;
  server?(server: ReferenceServer): void;
}

const lagMs = 4000;

/** Application name that rekey's own logins use here. */
export const ownLabel = "rekey";

function makeServer(shape: Shape, seed: number, twist: Twist): ReferenceServer {
  const server = new ReferenceServer({ seed, lagMs, capacity: 2 });
  for (const name of slotsOf[shape]) server.write(name, { enabled: false });
  twist.server?.(server);
  return server;
}

const issuerOn = (server: ReferenceServer, slots: readonly string[], trouble: Trouble = {}) =>
  referenceIssuer(
    {
      lagMs: server.lagMs,
      capacity: server.capacity,
      adminName: server.admin.name,
      wire: (_connection: unknown, adminSecret, signal) => wireTo(server, adminSecret, signal, trouble),
    },
    slots,
    z.unknown(),
  );

/** A reference issuer in a world of its own. The seed decides which answers are stale. */
export async function makeReferenceWorld(shape: Shape, seed: number, twist: Twist = {}): Promise<IssuerWorld> {
  const server = makeServer(shape, seed, twist);
  const twin = makeServer(shape, seed + 1, twist);
  const slots = slotsOf[shape];
  const isMinted = slots.length === 0;
  const tellsLastUse = shape === "minted, with last use";
  const loginOf = (value: Value) => revealField(value, isMinted ? "keyId" : "username");
  const secretOf = (value: Value) => revealField(value, isMinted ? "secretKey" : "password");

  async function open(
    how: OpenHow & { on?: ReferenceServer; admin?: string; slots?: readonly string[]; trouble?: Trouble },
  ) {
    const on = how.on ?? server;
    const definition = twisted(issuerOn(on, slots, how.trouble), twist);
    const opened = await definition.open(
      {
        connection: {},
        admin: { username: on.admin.name, password: new Secret(how.admin ?? on.admin.secret) },
        config: { slots: how.slots ?? slots },
        instance: how.instance ?? "ins_reference",
        credential: how.credential ?? "crd_reference",
      },
      {
        signal: how.signal ?? new AbortController().signal,
        log: how.log ?? (() => undefined),
        fetch: Object.assign(() => Promise.resolve({ outcome: "refused" as const }), {
          resolve: () => Promise.resolve([]),
        }),
      },
    );
    const right = tellsLastUse ? withLastUse(opened, on) : opened;
    return twist.session === undefined ? right : { ...right, ...twist.session(right, on) };
  }

  const plain = issuerOn(server, slots);
  const base = tellsLastUse ? { ...plain, facts: { ...plain.facts, usage: lastUseFacts } } : plain;
  const definition: IssuerDefinition<unknown, ReferenceConfig> = twisted(base, twist);
  const lacks = (reason: string) => ({ lacks: reason });
  const world: IssuerWorld = {
    definition,
    connection: {},
    config: { slots },
    instance: "ins_reference",
    credential: "crd_reference",
    open: (how = {}) => open(how),
    logsIn: (value) => Promise.resolve(server.login(loginOf(value), secretOf(value)) === "ok" ? "accepted" : "refused"),
    listBehindBack: () =>
      Promise.resolve(
        server.names().map((name) => ({
          name,
          isLive: server.read(name)?.secret !== undefined && server.read(name)?.enabled === true,
          fingerprint: server.fingerprint(name),
        })),
      ),
    nameOf: loginOf,
    settle: () =>
      Promise.resolve(server.pass(Math.max(definition.facts.activationLagMs, definition.facts.deactivationLagMs) + 1)),
    abilities: {
      acceptEverything: () => Promise.resolve(void (server.acceptsAnything = true)),
      refuseByRule: (values) => Promise.resolve(values.forEach((value) => server.ruledOut.add(loginOf(value)))),
      takeDown: () => Promise.resolve(void (server.isDown = true)),
      bringUp: () => Promise.resolve(void (server.isDown = false)),
      fillConnectionLimit: (value) => {
        server.write(loginOf(value), { enabled: false, ...server.read(loginOf(value)), limit: 1 });
        server.openSession(loginOf(value), "orders");
        server.pass(lagMs + 1);
        return Promise.resolve();
      },
      lockOut: (value) => Promise.resolve(void server.lockedOut.add(loginOf(value))),
      wrongTriesOn: (value) => Promise.resolve(server.wrongTries.get(loginOf(value)) ?? 0),
      makeStranger: () => {
        const secret = randomBytes(24).toString("base64url");
        if (isMinted) {
          const made = server.mint(undefined);
          return Promise.resolve({ keyId: made.name, secretKey: new Secret(made.secret) });
        }
        const username = slots.find((name) => server.read(name)?.secret === undefined) ?? "none";
        server.write(username, { ...server.read(username), enabled: true, secret });
        return Promise.resolve({ username, password: new Secret(secret) });
      },
      makeFirstByHand: () => {
        const made = isMinted
          ? server.mint(undefined)
          : { name: slots[0] ?? "", secret: randomBytes(24).toString("base64url") };
        if (isMinted)
          return Promise.resolve({
            handle: made.name,
            value: { keyId: made.name, secretKey: new Secret(made.secret) },
          });
        server.write(made.name, { enabled: true, secret: made.secret });
        const value = { username: made.name, password: new Secret(made.secret) };
        return Promise.resolve({ handle: slotHandle(made.name, 1), value });
      },
      changeSecretByHand: isMinted
        ? lacks("nobody can change the secret of a minted key")
        : (value) => {
            const present = server.read(loginOf(value));
            server.write(loginOf(value), { enabled: false, ...present, secret: "changed by its own user" });
            return Promise.resolve();
          },
      openSession: (value, how) => {
        const session = server.openSession(loginOf(value), how?.disguised === true ? ownLabel : "orders");
        return Promise.resolve({ isOpen: () => Promise.resolve(server.sessions.includes(session)) });
      },
      openSessionsOf: (value) => Promise.resolve(server.sessions.filter(({ name }) => name === loginOf(value)).length),
      openStubbornSession: (value) => Promise.resolve(void server.openSession(loginOf(value), "orders", 2)),
      async holdNextEffect() {
        const [onItsWay, arrived] = gate();
        const [released, release] = gate();
        return { session: await open({ trouble: { hold: { arrived, released } } }), onItsWay, release };
      },
      loseNextAnswer: () => open({ trouble: { loseAnswer: true } }),
      clock: () => Promise.resolve(new Date(server.now()).toISOString()),
      takeRight: () => Promise.resolve(void (server.deniesAdmin = true)),
      openWithWrongAdmin: () => open({ admin: randomBytes(16).toString("hex") }),
      openOnOwnPrincipal: isMinted
        ? lacks("a minted key is never a login of the connection's")
        : () => open({ slots: [server.admin.name, ...slots] }),
      openOnTwin: () => open({ on: twin }),
      mintNext: isMinted
        ? (text) => Promise.resolve(void (server.nextMinted = text))
        : lacks("rekey chooses the value"),
    },
    close: () => Promise.resolve(),
  };
  return Promise.resolve(world);
}

function twisted(
  right: IssuerDefinition<unknown, ReferenceConfig>,
  twist: Twist,
): IssuerDefinition<unknown, ReferenceConfig> {
  return { ...right, ...twist.definition?.(right) };
}
