import assert from "node:assert/strict";
import { RekeyError } from "../../domain/errors.ts";
import { assertFails } from "./failing.ts";
import { effectOn, intend, issue, makePair, makeVersion, wrongValue } from "./issuer-bench.ts";
import { ability, type IssuerWorld } from "./issuer-world.ts";

const liveNames = async (world: IssuerWorld): Promise<readonly string[]> =>
  (await world.listBehindBack()).filter(({ isLive }) => isLive).map(({ name }) => name);

/** What a world says it does, it does: a clause whose trouble never came would pass whatever the issuer did. */
export const issuerWorldChecks = {
  async "the witness accepts the right value and no other"(world: IssuerWorld) {
    const made = await makeVersion(await world.open(), 1, []);
    await world.settle();
    assert.equal(await world.logsIn(made.value), "accepted");
    assert.equal(await world.logsIn(wrongValue(world, made.value)), "refused");
    assert.deepEqual(await liveNames(world), [world.nameOf(made.value)]);
  },

  async "acceptEverything lets a wrong value in"(world: IssuerWorld) {
    const trust = ability(world, "acceptEverything");
    const made = await makeVersion(await world.open(), 1, []);
    await trust();
    assert.equal(await world.logsIn(wrongValue(world, made.value)), "accepted");
  },

  async "refuseByRule and fillConnectionLimit refuse the right value"(world: IssuerWorld) {
    const [rule, fill] = [ability(world, "refuseByRule"), ability(world, "fillConnectionLimit")];
    const [first, second] = await makePair(world, await world.open());
    await world.settle();
    await rule([first.value]);
    await fill(second.value);
    for (const { value } of [first, second]) assert.equal(await world.logsIn(value), "refused");
    assert.equal((await liveNames(world)).length, 2);
  },

  async "lockOut refuses the right value"(world: IssuerWorld) {
    const lockOut = ability(world, "lockOut");
    const made = await makeVersion(await world.open(), 1, []);
    await world.settle();
    await lockOut(made.value);
    assert.equal(await world.logsIn(made.value), "refused");
  },

  async "wrongTriesOn counts a wrong try"(world: IssuerWorld) {
    const wrongTriesOn = ability(world, "wrongTriesOn");
    const made = await makeVersion(await world.open(), 1, []);
    await world.settle();
    const before = await wrongTriesOn(made.value);
    await world.logsIn(wrongValue(world, made.value));
    assert.equal((await wrongTriesOn(made.value)) - before, 1);
  },

  async "takeDown ends every way in, bringUp opens it"(world: IssuerWorld) {
    const [takeDown, bringUp] = [ability(world, "takeDown"), ability(world, "bringUp")];
    const list = async () => (await world.open()).list();
    await list();
    await takeDown();
    await assertFails(list());
    await bringUp();
    await list();
  },

  async "a lost answer was an effect"(world: IssuerWorld) {
    const losing = await ability(world, "loseNextAnswer")();
    const before = await world.listBehindBack();
    await assertFails(makeVersion(losing, 1, []));
    assert.notDeepEqual(await world.listBehindBack(), before);
  },

  async "a call that is held has no effect until it is released"(world: IssuerWorld) {
    const { session, onItsWay, release } = await ability(world, "holdNextEffect")();
    const intent = await intend(session, 1, []);
    const before = await world.listBehindBack();
    const making = issue(session, intent);
    await onItsWay;
    assert.deepEqual(await world.listBehindBack(), before);
    release();
    await making;
    assert.notDeepEqual(await world.listBehindBack(), before);
  },

  async "a stranger is live, and what is made by hand first too"(world: IssuerWorld) {
    const [stranger, first] = [ability(world, "makeStranger"), ability(world, "makeFirstByHand")];
    const made = await first();
    const other = await stranger();
    await world.settle();
    assert.equal(await world.logsIn(other), "accepted");
    assert.ok((await liveNames(world)).includes(world.nameOf(made.value)));
  },

  async "changeSecretByHand makes our value wrong"(world: IssuerWorld) {
    const change = ability(world, "changeSecretByHand");
    const made = await makeVersion(await world.open(), 1, []);
    await change(made.value);
    await world.settle();
    assert.equal(await world.logsIn(made.value), "refused");
  },

  async "sessions are open until somebody ends them, a stubborn one longer"(world: IssuerWorld) {
    const [openSession, openStubborn] = [ability(world, "openSession"), ability(world, "openStubbornSession")];
    const sessionsOf = ability(world, "openSessionsOf");
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    await world.settle();
    assert.equal(await sessionsOf(made.value), 0);
    const opened = await openSession(made.value);
    assert.equal(await sessionsOf(made.value), 1);
    await session.endSessions?.(effectOn(made.handle));
    assert.equal(await opened.isOpen(), false);
    await openStubborn(made.value);
    const ended = await session.endSessions?.(effectOn(made.handle));
    assert.ok((ended?.remaining ?? 0) > 0, "it must outlive the first try");
  },

  async "a twin answers, and a wrong admin and a missing right do not pass"(world: IssuerWorld) {
    const [twin, wrongAdmin] = [ability(world, "openOnTwin"), ability(world, "openWithWrongAdmin")];
    assert.ok((await (await twin()).identify()).length > 0);
    await assertFails(wrongAdmin().then((session) => session.list()));
    const session = await world.open();
    const intent = await intend(session, 1, []);
    await ability(world, "takeRight")();
    const before = await world.listBehindBack();
    await issue(session, intent).catch((error: unknown) => assert.ok(error instanceof RekeyError));
    assert.deepEqual(await world.listBehindBack(), before);
  },
};
