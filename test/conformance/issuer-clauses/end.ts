import assert from "node:assert/strict";
import type { IssuerSession } from "../../../providers/contract/issuer.ts";
import {
  assertLogin,
  assertUntouched,
  effectOn,
  isOverlap,
  makePair,
  makeVersion,
  nextClaim,
  type Made,
} from "../issuer-bench.ts";
import { assertFails, orRefused } from "../failing.ts";
import { notApplicable } from "../applicability.ts";
import { ability, type IssuerWorld } from "../issuer-world.ts";

/** How often a caller asks to end sessions before it takes a person's word. */
const asksToEnd = 10;

function disabling(session: IssuerSession) {
  const { disable, enable } = session;
  if (disable === undefined || enable === undefined) return notApplicable("the issuer cannot disable");
  return { disable: disable.bind(session), enable: enable.bind(session) };
}

function ending(session: IssuerSession) {
  const { endSessions } = session;
  if (endSessions === undefined) return notApplicable("the issuer's sessions cannot be ended");
  return endSessions.bind(session);
}

/** Version 1 was ended and its slot given to version 3, while version 2 lives. */
async function makeThird(world: IssuerWorld, session: IssuerSession): Promise<{ first: Made; third: Made }> {
  const [first, second] = await makePair(world, session);
  await session.revoke(effectOn(first.handle));
  return { first, third: await makeVersion(session, 3, [second.handle]) };
}

export const endClauses = {
  async "7.4 a revoked version is refused and nothing else is"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await assertUntouched(world, () => session.revoke(effectOn(first.handle)), [second.value]);
    await assertLogin(world, first.value, "refused");
    await assertLogin(world, second.value, "accepted");
  },

  async "7.4 revoke succeeds when the version is gone"(world: IssuerWorld) {
    const session = await world.open();
    const [first] = await makePair(world, session);
    const request = effectOn(first.handle);
    await session.revoke(request);
    await session.revoke(request);
    await (await world.open()).revoke({ ...request, claim: nextClaim() });
    await assertLogin(world, first.value, "refused");
  },

  async "7.4 a version made by hand before us is ended by its handle alone"(world: IssuerWorld) {
    const made = await ability(world, "makeFirstByHand")();
    const session = await world.open();
    await assertLogin(world, made.value, "accepted");
    const second = await makeVersion(session, 2, isOverlap(world) ? [made.handle] : []);
    if (!isOverlap(world)) {
      await assertLogin(world, made.value, "refused");
      return;
    }
    await assertLogin(world, made.value, "accepted");
    await session.revoke(effectOn(made.handle));
    await assertLogin(world, made.value, "refused");
    await assertLogin(world, second.value, "accepted");
  },

  async "7.4 what is listed is what there is"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    const stateOf = async (made: Made) => (await session.list()).find(({ handle }) => handle === made.handle)?.state;
    if (session.disable !== undefined) {
      await session.disable(effectOn(first.handle));
      assert.equal(await stateOf(first), "disabled");
    }
    await session.revoke(effectOn(first.handle));
    assert.notEqual((await stateOf(first)) ?? "ended", "live");
    assert.equal((await stateOf(first)) ?? "ended", "ended");
    assert.equal(await stateOf(second), "live");
    const seen = await world.listBehindBack();
    const live = (await session.list()).filter(({ state }) => state === "live");
    assert.equal(live.length, seen.filter(({ isLive }) => isLive).length);
  },

  async "2 a stranger is listed, and not as ours"(world: IssuerWorld) {
    if (!isOverlap(world)) notApplicable("one version lives at a time");
    const make = ability(world, "makeStranger");
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    await make();
    const live = (await session.list()).filter(({ state }) => state === "live");
    assert.equal(live.length, 2, "every live version is listed");
    assert.deepEqual(
      live.filter(({ ours }) => ours).map(({ handle }) => handle),
      [first.handle],
    );
  },

  async "5 a late revoke of version 1 does not hit version 3"(world: IssuerWorld) {
    const stale = nextClaim();
    const session = await world.open();
    const { first, third } = await makeThird(world, session);
    const late = await world.open();
    for (const claim of [stale, nextClaim()])
      await assertUntouched(world, () => late.revoke(effectOn(first.handle, { claim })).catch(orRefused), [
        third.value,
      ]);
    await assertLogin(world, third.value, "accepted");
  },

  async "5 a revoke held up on its way does not hit version 3"(world: IssuerWorld) {
    const hold = ability(world, "holdNextEffect");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    const { session: slow, onItsWay, release } = await hold();
    const late = slow.revoke(effectOn(first.handle)).catch(orRefused);
    await Promise.race([onItsWay, late]);
    await session.revoke(effectOn(first.handle));
    const third = await makeVersion(session, 3, [second.handle]);
    await assertUntouched(world, async () => {
      release();
      await late;
    });
    await assertLogin(world, third.value, "accepted");
  },

  async "5 a late abandon of version 1 does not hit version 3"(world: IssuerWorld) {
    const session = await world.open();
    const { first, third } = await makeThird(world, session);
    const { operationKey } = first.intent;
    await assertUntouched(
      world,
      async () => (await world.open()).abandon(effectOn(first.handle, { operationKey })).catch(orRefused),
      [third.value],
    );
  },

  async "5 a late disable does not undo a later enable"(world: IssuerWorld) {
    const session = await world.open();
    const { disable, enable } = disabling(session);
    const first = await makeVersion(session, 1, []);
    const operationKey = "disable-version-1";
    const late = nextClaim();
    await disable(effectOn(first.handle, { operationKey }));
    await enable({ ...effectOn(first.handle), value: first.value });
    await assertUntouched(world, async () =>
      assertFails(disable(effectOn(first.handle, { operationKey, claim: late })), "claim_outdated"),
    );
    await assertLogin(world, first.value, "accepted");
  },

  async "5 a late disable of version 1 does not hit version 3"(world: IssuerWorld) {
    const session = await world.open();
    const { disable, enable } = disabling(session);
    const { first, third } = await makeThird(world, session);
    await assertUntouched(world, async () => {
      await disable(effectOn(first.handle)).catch(orRefused);
      await enable({ ...effectOn(first.handle), value: first.value }).catch(orRefused);
    }, [third.value]);
    await assertLogin(world, first.value, "refused");
  },

  async "5 disabling refuses, enabling brings the same value back"(world: IssuerWorld) {
    const session = await world.open();
    const { disable, enable } = disabling(session);
    const [first, second] = await makePair(world, session);
    await assertUntouched(world, async () => {
      const request = effectOn(first.handle);
      await disable(request);
      await disable({ ...request, claim: nextClaim() });
      await assertLogin(world, first.value, "refused");
      const back = { ...effectOn(first.handle), value: first.value };
      await enable(back);
      await enable({ ...back, claim: nextClaim() });
      await assertLogin(world, first.value, "accepted");
    }, [second.value]);
  },

  async "5 enabling sets our value again"(world: IssuerWorld) {
    const change = ability(world, "changeSecretByHand");
    const session = await world.open();
    const { disable, enable } = disabling(session);
    const first = await makeVersion(session, 1, []);
    await disable(effectOn(first.handle));
    await change(first.value);
    await enable({ ...effectOn(first.handle), value: first.value });
    await assertLogin(world, first.value, "accepted");
  },

  async "5 enabling without the value brings back what was there"(world: IssuerWorld) {
    const session = await world.open();
    const { disable, enable } = disabling(session);
    const first = await makeVersion(session, 1, []);
    await disable(effectOn(first.handle));
    await enable(effectOn(first.handle));
    await assertLogin(world, first.value, "accepted");
  },

  async "5 a session that outlives revocation can be ended"(world: IssuerWorld) {
    const openSession = ability(world, "openSession");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    const [old, current] = [await openSession(first.value), await openSession(second.value)];
    await session.revoke(effectOn(first.handle));
    await world.settle();
    if (world.definition.facts.sessionsOutliveRevocation) {
      const { remaining } = await untilEnded(ending(session), first.handle);
      assert.equal(remaining, 0);
    }
    assert.equal(await old.isOpen(), false, "the session of the ended version is still open");
    assert.equal(await current.isOpen(), true, "a session of the living version was ended");
  },

  async "5 endSessions never says none while one is"(world: IssuerWorld) {
    const openStubborn = ability(world, "openStubbornSession");
    const sessionsOf = ability(world, "openSessionsOf");
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    await openStubborn(first.value);
    await session.revoke(effectOn(first.handle));
    const endSessions = ending(session);
    for (let asked = 0; asked < asksToEnd; asked++) {
      const { remaining } = await endSessions(effectOn(first.handle));
      const open = await sessionsOf(first.value);
      if (remaining === 0) assert.equal(open, 0, "it said that none remains");
      if (open === 0) return;
    }
    assert.fail("the session is still there");
  },

  async "5 endSessions for version 1 leaves version 3's alone"(world: IssuerWorld) {
    const openSession = ability(world, "openSession");
    const session = await world.open();
    const { first, third } = await makeThird(world, session);
    await world.settle();
    const current = await openSession(third.value);
    await ending(session)(effectOn(first.handle)).catch(orRefused);
    assert.equal(await current.isOpen(), true, "a session of the version that lives now was ended");
  },

  async "5 endSessions ends only what began before the time given"(world: IssuerWorld) {
    const openSession = ability(world, "openSession");
    const clock = ability(world, "clock");
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    await world.settle();
    const earlier = await openSession(first.value);
    const before = await clock();
    const later = await openSession(first.value);
    await untilEnded(ending(session), first.handle, { before });
    assert.equal(await earlier.isOpen(), false);
    assert.equal(await later.isOpen(), true, "a session that began later was ended");
  },

  async "5 endSessions ends only what began since the time given"(world: IssuerWorld) {
    const openSession = ability(world, "openSession");
    const clock = ability(world, "clock");
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    await world.settle();
    const earlier = await openSession(first.value);
    const since = await clock();
    const later = await openSession(first.value);
    await untilEnded(ending(session), first.handle, { since });
    assert.equal(await earlier.isOpen(), true, "a session that began earlier was ended");
    assert.equal(await later.isOpen(), false);
  },
};

async function untilEnded(
  endSessions: NonNullable<IssuerSession["endSessions"]>,
  handle: string,
  span: { readonly since?: string; readonly before?: string } = {},
) {
  let answer = { ended: 0, remaining: 1 };
  for (let asked = 0; asked < asksToEnd && answer.remaining > 0; asked++)
    answer = await endSessions({ ...effectOn(handle), ...span });
  return answer;
}
