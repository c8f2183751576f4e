import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Policy } from "../../domain/policy.ts";
import { listProposals } from "../../ledger/proposal-views.ts";
import { releases, startIssuerServer, type IssuerServer } from "../harness/postgres-issuer.ts";
import { needs } from "../harness/needs.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, untilClosed, untilHeld, type World } from "../harness/world.ts";

const stayMs = 50;

interface Come {
  readonly login: string;
  readonly password: string;
  readonly database: string;
  readonly name: string;
}

/** Comes by the login for a moment each period, whatever else happens, from some time within the first one on. */
async function comeAndGo(server: IssuerServer, come: Come, everyMs: number, until: AbortSignal): Promise<void> {
  await pause(Math.random() * everyMs, undefined, { signal: until }).catch(() => undefined);
  while (!until.aborted) {
    // Once it is refused it has been cut off, which is what the tests look at.
    const client = await server
      .openSession(come.login, come.password, { database: come.database, name: come.name })
      .catch(() => undefined);
    await pause(stayMs);
    await client?.end();
    await pause(everyMs, undefined, { signal: until }).catch(() => undefined);
  }
}

describe.runIf(hasTemporal)(
  "a client that comes for 50 ms now and then, by a login that nobody registered it for",
  () => {
    let world: World;
    const others: IssuerServer[] = [];
    const over = new AbortController();
    const coming: Promise<void>[] = [];

    beforeAll(async () => {
      world = await openWorld();
      for (const release of releases.slice(1).filter(({ missing }) => missing === undefined))
        others.push(await startIssuerServer(release));
      await world.startWorker();
    });

    afterAll(async () => {
      over.abort();
      await Promise.all(coming);
      await world?.close();
      await Promise.all(others.map(async (server) => server.stop()));
    });

    async function visited(
      server: IssuerServer,
      name: string,
      everyMs: number,
      policy: Partial<Policy>,
      until: AbortSignal = over.signal,
    ) {
      const orders = await register({ ...world, issuer: server }, { policy });
      const [login = ""] = orders.logins;
      const { password, database } = orders;
      coming.push(comeAndGo(server, { login, password, database, name }, everyMs, until));
      return { ...orders, server, name, login };
    }

    /** Held before anything that the client could feel, by a hold that says who it is and how it is registered. */
    async function isHeldAndNamed({
      rotate,
      ...one
    }: Registered & { server: IssuerServer; name: string; login: string }) {
      const rotationId = await rotate();
      const hold = await untilHeld(world, rotationId);
      const asked = { scope: "everything", credentialId: one.credentialId, onlyOpen: true, limit: 10 } as const;
      const [proposal, ...more] = await listProposals(world.ledger.db, asked);
      expect(more).toEqual([]);
      expect(proposal).toMatchObject({ applicationName: one.name, address: "127.0.0.1", database: one.database });
      expect(hold.detail).toContain(
        `${one.login} from 127.0.0.1 (application "${one.name}") is no registered consumer.`,
      );
      expect(hold.detail).toContain(`rekey consumer proposals show ${proposal?.id}`);
      // Where its consumer takes longer to adopt than a person is waited for, it holds one step earlier for the same reason.
      const { phase, outcome } = await readRotation(world, rotationId);
      expect(["delivered", "promoted"]).toContain(phase);
      expect(outcome).toBeNull();
      expect((await versionsOf(world, one.credentialId))[0]).toMatchObject({ number: 1, state: "live" });
      expect(await one.server.logsIn(one.login, one.password, one.database)).toBe("accepted");
      await one.shop.close();
    }

    const servers = () => [world.issuer, ...others];

    it("is there on each release", (context) => {
      const missing = releases.find((release) => release.missing !== undefined)?.missing;
      needs(context, missing === undefined, missing ?? "");
    });

    it("invariant 4: every 30 s: the rotation holds before the old version is refused, and names it", async () => {
      const policy = { graceMs: 60_000, observeForMs: 30_000, lookEveryMs: 5_000, holdAfterMs: 500 };
      const all = await Promise.all(
        servers().map(async (server, at) => visited(server, `half-minute-${at}`, 30_000, policy)),
      );
      await Promise.all(all.map(isHeldAndNamed));
    });

    it("invariant 4: at any time within its period, whoever else is watched at that server", async () => {
      const policy = { graceMs: 3_000, observeForMs: 6_000, lookEveryMs: 1_000, holdAfterMs: 8_000 };
      const all = await Promise.all(
        servers().flatMap((server, at) =>
          Array.from({ length: 4 }, async (_, seed) => visited(server, `visit-${at}-${seed}`, 3_000, policy)),
        ),
      );
      await Promise.all(all.map(isHeldAndNamed));
    });

    it("invariant 4: who answers retry while it still comes is asked again; once it has stopped the rotation is proven", async () => {
      const policy = { graceMs: 1_000, observeForMs: 4_000, lookEveryMs: 1_000, holdAfterMs: 500 };
      const stop = new AbortController();
      const orders = await visited(
        world.issuer,
        "stubborn",
        1_500,
        policy,
        AbortSignal.any([over.signal, stop.signal]),
      );
      const rotationId = await orders.rotate();
      const first = await answerHold(world, rotationId, "retry");
      const second = await untilHeld(world, rotationId);
      for (const { detail } of [first, second]) expect(detail).toContain('application "stubborn"');
      stop.abort();
      await coming.at(-1);
      await answerHold(world, rotationId, "retry");
      expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
      await orders.shop.close();
    });
  },
);
