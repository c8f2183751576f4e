import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { RekeyError } from "../../../domain/errors.ts";
import type { IssuerSession } from "../../../providers/contract/issuer.ts";
import {
  assertUntouched,
  authenticatorOf,
  effectOn,
  intend,
  isOverlap,
  issue,
  makePair,
  makeVersion,
  wrongValue,
} from "../issuer-bench.ts";
import { assertFails, saidBy } from "../failing.ts";
import { notApplicable } from "../applicability.ts";
import { ability, type IssuerWorld } from "../issuer-world.ts";

function using(session: IssuerSession) {
  const { usage } = session;
  if (usage === undefined) return notApplicable("the issuer shows no sessions");
  return usage.bind(session);
}

/** The issuer's time; this machine's where the world cannot ask for it, because its stand-in goes by that. */
async function timeOf({ abilities: { clock } }: IssuerWorld): Promise<number> {
  return typeof clock === "function" ? Date.parse(await clock()) : Date.now();
}

const ownerOf = ({ instance, credential }: IssuerWorld) => ({ instance, credential });

export const lookClauses = {
  async "7.6 usage shows every session of a version, and of no other"(world: IssuerWorld) {
    const openSession = ability(world, "openSession");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await world.settle();
    const usage = using(session);
    for (const made of [first, first, second]) await openSession(made.value);
    const { sessions } = await usage([first.handle, second.handle]);
    assert.equal(sessions[first.handle]?.length, 2);
    assert.equal(sessions[second.handle]?.length, 1);
    for (const seen of sessions[first.handle] ?? []) assert.equal(seen.principal, world.nameOf(first.value));
  },

  async "7.6 a name that a session gives itself excuses nobody"(world: IssuerWorld) {
    const openSession = ability(world, "openSession");
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    await world.settle();
    await openSession(made.value, { disguised: true });
    const { sessions } = await using(session)([made.handle]);
    assert.equal(sessions[made.handle]?.length, 1, "it is a session of somebody, whatever it calls itself");
  },

  async "7.6 rekey's own logins are left out"(world: IssuerWorld) {
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    await world.settle();
    const usage = using(session);
    const probes = Promise.all([1, 2, 3].map(() => session.probe({ handle: made.handle, value: made.value })));
    const during = await usage([made.handle]);
    await probes;
    const after = await usage([made.handle]);
    assert.deepEqual([during.sessions[made.handle], after.sessions[made.handle]], [[], []]);
  },

  async "7.6 a use is told with its time to the declared grain, of the version that was used and of no other"(
    world: IssuerWorld,
  ) {
    const { usage } = world.definition.facts;
    if (usage.covers !== "last-used") notApplicable("the issuer does not tell when a version was last used");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await world.settle();
    const before = await timeOf(world);
    assert.equal(await world.logsIn(first.value), "accepted");
    const after = await timeOf(world);
    await world.settle();
    const { at, lastUsed } = (await session.lastUses?.([first.handle, second.handle])) ?? { at: "", lastUsed: {} };
    const told = lastUsed[first.handle];
    assert.ok(told !== undefined && told !== null && told.by.length > 0, "the version was used");
    // To the second, because that is what some issuers tell.
    const [lowest, highest] = [before - usage.grainMs - 1_000, after + usage.grainMs + 1_000];
    const [usedAt, toldAt] = [Date.parse(told.at), Date.parse(at)];
    assert.ok(lowest <= usedAt && usedAt <= highest, `${told.at} is not when it was used`);
    assert.ok(usedAt <= toldAt + 1_000, "a use is told after it was");
    assert.equal(lastUsed[second.handle], null, "nobody has used the other");
  },

  async "4 every time is the issuer's own"(world: IssuerWorld) {
    const clock = ability(world, "clock");
    const openSession = ability(world, "openSession");
    const session = await world.open();
    const within = async (time: () => Promise<string | undefined>) => {
      const before = await clock();
      const said = await time();
      const after = await clock();
      assert.ok(said !== undefined && !Number.isNaN(Date.parse(said)), "a time, ISO 8601");
      // To the millisecond, because that is what some issuers tell.
      const [from, at, until] = [before, said, after].map((each) => Date.parse(each));
      assert.ok(from !== undefined && at !== undefined && until !== undefined);
      assert.ok(from - 1 <= at && at <= until + 1, `${said} is not between ${before} and ${after} of its clock`);
    };
    const intent = await intend(session, 1, []);
    let handle = "";
    let value = intent.chosen;
    await within(async () => {
      const made = await issue(session, intent);
      ({ handle, value } = made);
      return made.effectiveAt;
    });
    await world.settle();
    const usage = using(session);
    await within(async () => (await usage([handle])).at);
    const user = value;
    assert.ok(user !== undefined);
    await within(async () => {
      await openSession(user);
      return (await usage([handle])).sessions[handle]?.[0]?.startedAt;
    });
  },

  async "5 the identity is the server's, the same for all and no other's"(world: IssuerWorld) {
    const [one, two] = [await world.open(), await world.open()];
    const identity = await one.identify();
    assert.ok(identity.length > 0);
    assert.equal(await two.identify(), identity);
    assert.equal(await one.identify(), identity);
    const twin = await ability(world, "openOnTwin")();
    assert.notEqual(await twin.identify(), identity, "another server must not pass for this one");
  },

  async "16 preflight finds nothing wrong where nothing is, and does nothing"(world: IssuerWorld) {
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    await assertUntouched(world, async () => {
      const findings = await session.preflight({ live: [made.handle], ...ownerOf(world) });
      assert.deepEqual(findings, []);
    });
  },

  async "16 preflight names the right that is missing"(world: IssuerWorld) {
    const takeRight = ability(world, "takeRight");
    const session = await world.open();
    await takeRight();
    await assertUntouched(world, async () => {
      const findings = await session.preflight({ live: [], ...ownerOf(world) });
      assert.ok(findings.some(({ code }) => code === "right_missing"));
    });
    const intent = await intend(session, 1, []);
    await assertFails(issue(session, intent), "right_missing");
  },

  async "16 a wrong secret of the connection is said as such"(world: IssuerWorld) {
    const openWithWrongAdmin = ability(world, "openWithWrongAdmin");
    await assertFails(
      openWithWrongAdmin().then((session) => session.identify()),
      "issuer_auth_failed",
    );
  },

  async "16 an issuer that is down is transient"(world: IssuerWorld) {
    const takeDown = ability(world, "takeDown");
    const session = await world.open();
    const intent = await intend(session, 1, []);
    await takeDown();
    const errors = [await assertFails(issue(session, intent)), await assertFails(world.open().then((s) => s.list()))];
    for (const error of errors) {
      assert.equal(error.name, "TransientError");
      assert.equal(error.code, "issuer_unreachable");
    }
  },

  async "16 an issuer that was away is used again"(world: IssuerWorld) {
    const [takeDown, bringUp] = [ability(world, "takeDown"), ability(world, "bringUp")];
    const session = await world.open();
    const intent = await intend(session, 1, []);
    await takeDown();
    await assertFails(issue(session, intent));
    await bringUp();
    const made = await issue(await world.open(), intent);
    await world.settle();
    assert.equal(await world.logsIn(made.value), "accepted");
  },

  async "7.8 the connection's own principal is never managed"(world: IssuerWorld) {
    const { definition, config, connection } = world;
    assert.ok(!definition.principalsOf(config).includes(definition.adminPrincipalOf(connection)));
    const openOnOwn = ability(world, "openOnOwnPrincipal");
    const preflight = async () => {
      const session = await openOnOwn();
      const findings = await session.preflight({ live: [], ...ownerOf(world) });
      return findings.map(({ code }) => code);
    };
    const codes = await preflight().catch((error: unknown) => {
      assert.ok(error instanceof RekeyError, `it must be an error of ours, not ${String(error)}`);
      return [error.code];
    });
    assert.ok(codes.includes("principal_is_connection"), `it says ${codes.join(", ")}`);
  },

  async "6 no secret is in an error or in the log"(world: IssuerWorld) {
    const said: string[] = [];
    const session = await world.open({ log: (event, fields) => said.push(event, JSON.stringify(fields ?? {})) });
    const keepError = (error: unknown) => void said.push(...saidBy(error));
    const first = await makeVersion(session, 1, []);
    const wrong = wrongValue(world, first.value);
    const keep = isOverlap(world) ? [first.handle] : [];
    const second = await makeVersion(session, 2, keep);
    await world.settle();
    for (const value of [first.value, wrong]) {
      await session.probe({ handle: first.handle, value, control: second.value }).catch(keepError);
      await session.enable?.({ ...effectOn("none#9"), value }).catch(keepError);
    }
    await makeVersion(session, 3, [first.handle, second.handle]).catch(keepError);
    await issue(session, { ...second.intent, operationKey: "another", keep: [second.handle] }).catch(keepError);
    await session.revoke(effectOn(first.handle)).catch(keepError);
    await session.abandon(effectOn(second.handle, { operationKey: second.intent.operationKey })).catch(keepError);
    const takeDown = world.abilities.takeDown;
    if (typeof takeDown === "function") {
      await takeDown();
      await issue(session, second.intent).catch(keepError);
    }
    const text = said.join("\n");
    for (const value of [first.value, second.value, wrong])
      assert.ok(!text.includes(authenticatorOf(world, value)), "a secret was said");
  },

  async "6 a cancelled call has no effect"(world: IssuerWorld) {
    const cancel = new AbortController();
    const session = await world.open({ signal: cancel.signal });
    const intent = await intend(session, 1, []);
    cancel.abort();
    await assertUntouched(world, async () => {
      const made = await issue(session, intent).catch(() => undefined);
      assert.equal(made, undefined, "it went on although it was told to stop");
    });
  },

  async "3 an optional ability is absent, never a stub"(world: IssuerWorld) {
    const session = await world.open();
    const { facts } = world.definition;
    assert.equal(session.choose !== undefined, facts.chooser === "rekey", "choose is there exactly when we choose");
    assert.equal(
      session.lastUses !== undefined,
      facts.usage.covers === "last-used",
      "the facts say what is told of use",
    );
    assert.equal(
      session.watch !== undefined,
      facts.usage.covers !== "last-used" && facts.usage.watchedStayMs !== undefined,
      "the facts say whether use can be watched",
    );
    if (facts.usage.covers === "last-used") assert.equal(session.usage, undefined, "it shows nobody who is on it now");
    assert.equal(session.disable === undefined, session.enable === undefined, "what disables must enable");
    if (session.disable !== undefined) assert.equal(facts.canDisable, true, "the facts tell the planner that it can");
    if (facts.sessionsOutliveRevocation) assert.ok(session.endSessions !== undefined, "sessions that outlive must end");
    assert.ok(facts.endedCodes.length > 0 && facts.lateCallsRefusedBy.length > 0);
    assert.ok(!isDeepStrictEqual(facts.slots, {}), "it supports an order");
  },
};
