import assert from "node:assert/strict";
import { compareClaims } from "../../../domain/claim.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { assertFit } from "../../../providers/contract/value.ts";
import {
  assertLogin,
  assertUntouched,
  authenticatorOf,
  effectOn,
  intend,
  isOverlap,
  issue,
  makePair,
  makeVersion,
  needsTwo,
  nextClaim,
  seen,
  withText,
} from "../issuer-bench.ts";
import { assertFails, orRefused } from "../failing.ts";
import { notApplicable } from "../applicability.ts";
import { ability, type IssuerWorld } from "../issuer-world.ts";

const chooses = (world: IssuerWorld): boolean => world.definition.facts.chooser === "rekey";
function needsChosen(world: IssuerWorld): void {
  if (!chooses(world)) notApplicable("the issuer mints the value");
}
function needsMinted(world: IssuerWorld): void {
  if (chooses(world)) notApplicable("rekey chooses the value");
}

const liveNames = async (world: IssuerWorld): Promise<readonly string[]> =>
  (await world.listBehindBack()).filter(({ isLive }) => isLive).map(({ name }) => name);
const liveCount = async (world: IssuerWorld): Promise<number> => (await liveNames(world)).length;

export const issueClauses = {
  async "7.1 the same operation key means the same version"(world: IssuerWorld) {
    const session = await world.open();
    const intent = await intend(session, 1, []);
    const once = await issue(session, intent);
    const again = await issue(await world.open(), intent);
    assert.equal(await liveCount(world), 1, "one operation key, one live version");
    await assertLogin(world, again.value, "accepted");
    if (!chooses(world)) return;
    assert.equal(again.handle, once.handle);
    assert.equal(authenticatorOf(world, again.value), authenticatorOf(world, once.value));
  },

  async "7.1 a lost answer, repeated, makes no second version"(world: IssuerWorld) {
    const losing = await ability(world, "loseNextAnswer")();
    const intent = await intend(losing, 1, []);
    await assertFails(issue(losing, intent));
    const made = await issue(await world.open(), intent);
    assert.equal(await liveCount(world), 1, "what was made without an answer must not stay beside its repeat");
    await assertLogin(world, made.value, "accepted");
  },

  async "7.2 a chosen value is set as it was chosen"(world: IssuerWorld) {
    needsChosen(world);
    const session = await world.open();
    const intent = await intend(session, 1, []);
    const made = await issue(session, intent);
    assert.ok(intent.chosen !== undefined);
    assert.equal(authenticatorOf(world, made.value), authenticatorOf(world, intent.chosen));
    assert.equal(made.handle, intent.handle);
    await assertLogin(world, intent.chosen, "accepted");
  },

  async "7.2 choosing has no effect and never gives a value twice"(world: IssuerWorld) {
    needsChosen(world);
    const session = await world.open();
    await assertUntouched(world, async () => {
      const values = [];
      for (let asked = 0; asked < 4; asked++) {
        const { chosen } = await intend(session, 1, []);
        assert.ok(chosen !== undefined);
        values.push(authenticatorOf(world, chosen));
      }
      assert.equal(new Set(values).size, values.length, "two operations were given one value");
    });
  },

  async "7.2 a minted repeat ends only its own leftover with a lower claim"(world: IssuerWorld) {
    needsMinted(world);
    const session = await world.open();
    const other = await makeVersion(session, 1, []);
    const intent = await intend(session, 2, [other.handle]);
    const leftover = await issue(session, intent);
    await assertUntouched(world, async () => issue(session, intent), [other.value]);
    await assertLogin(world, leftover.value, "refused");
  },

  async "7.2 a minted repeat never ends what the ledger records"(world: IssuerWorld) {
    needsMinted(world);
    const session = await world.open();
    const recorded = await makeVersion(session, 1, []);
    const intent = { ...recorded.intent, keep: [recorded.handle] };
    await assertUntouched(world, async () => issue(session, intent).catch(orRefused), [recorded.value]);
    await assertLogin(world, recorded.value, "accepted");
  },

  async "7.2 a minted version is listed as made by its own operation, or by none"(world: IssuerWorld) {
    needsMinted(world);
    const session = await world.open();
    const made = await makePair(world, session);
    const listed = await (await world.open()).list();
    for (const { handle, intent } of made) {
      const { operationKey = intent.operationKey } = listed.find((each) => each.handle === handle) ?? {};
      assert.equal(operationKey, intent.operationKey);
    }
  },

  async "7.2 what is issued is marked as ours"(world: IssuerWorld) {
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    const listed = await (await world.open()).list();
    const live = listed.filter(({ state }) => state === "live");
    assert.deepEqual(
      live.map(({ handle, ours }) => ({ handle, ours })),
      [{ handle: made.handle, ours: true }],
    );
    const since = live[0]?.effectiveAt ?? made.effectiveAt;
    assert.ok(
      Date.parse(since) <= Date.parse(made.effectiveAt),
      "a list never says later than when it came into force",
    );
    const stranger = await (await world.open({ credential: "crd_another" })).list();
    assert.ok(!stranger.some(({ ours }) => ours), "another credential must not take it for its own");
  },

  async "7.3 what is in keep is never touched"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    const keep = [first.handle, second.handle];
    await assertUntouched(world, async () => assertFails(makeVersion(session, 3, keep), "no_free_slot"));
    const intent = { ...second.intent, version: 3, operationKey: "another", keep };
    await assertUntouched(world, async () => assertFails(issue(session, intent)));
  },

  async "7.3 never the oldest"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await session.revoke(effectOn(first.handle));
    const third = await makeVersion(session, 3, [second.handle]);
    // The oldest that lives is now the one in the other slot.
    await assertUntouched(world, async () => assertFails(makeVersion(session, 4, [second.handle, third.handle])));
    await assertLogin(world, second.value, "accepted");
  },

  async "7.3 no room needs an operator"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    const error = await assertFails(makeVersion(session, 3, [first.handle, second.handle]), "no_free_slot");
    assert.equal(error.name, "OperatorNeededError");
  },

  async "7.3 a version that a person made is not touched"(world: IssuerWorld) {
    needsTwo(world);
    const make = ability(world, "makeStranger");
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    const stranger = await make();
    // Twice, because a careless one would take the slot of what it does not know.
    for (const version of [2, 3])
      await assertUntouched(world, async () => makeVersion(session, version, [first.handle]).catch(orRefused), [
        first.value,
        stranger,
      ]);
  },

  async "7.3 a slot that a person revived is a stranger's"(world: IssuerWorld) {
    needsTwo(world);
    const make = ability(world, "makeStranger");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await session.revoke(effectOn(first.handle));
    const stranger = await make();
    const listed = await session.list();
    assert.equal(listed.filter(({ state, ours }) => state === "live" && !ours).length, 1, "it is not ours any more");
    await assertUntouched(world, async () => makeVersion(session, 3, [second.handle]).catch(orRefused), [
      second.value,
      stranger,
    ]);
  },

  async "7.3 another instance's version is not touched"(world: IssuerWorld) {
    needsTwo(world);
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    const theirs = await makeVersion(await world.open({ instance: "another" }), 2, [first.handle]);
    await assertUntouched(world, async () => {
      await makeVersion(session, 2, [first.handle]).catch(orRefused);
      await session.revoke(effectOn(theirs.handle)).catch(orRefused);
      await session.abandon(effectOn(theirs.handle, { operationKey: theirs.intent.operationKey })).catch(orRefused);
      await session.disable?.(effectOn(theirs.handle)).catch(orRefused);
    });
    const listed = await session.list();
    assert.deepEqual(
      listed.filter(({ handle }) => handle === theirs.handle).map(({ ours }) => ours),
      [false],
    );
  },

  async "7.7 what is issued is fit to keep"(world: IssuerWorld) {
    const session = await world.open();
    const { fields, authenticator } = world.definition;
    const texts: string[] = [];
    for (let version = 1; version <= 6; version++) {
      const made = await makeVersion(session, version, []);
      assertFit(made.value, fields);
      texts.push(authenticatorOf(world, made.value));
      await session.abandon(effectOn(made.handle, { operationKey: made.intent.operationKey }));
    }
    assert.equal(fields[authenticator]?.secret, true, "the authenticator is a secret field");
    assert.equal(new Set(texts).size, texts.length, "a value came twice");
    assert.ok(
      texts.every((text) => text.length >= 22),
      "128 bits need at least 22 characters",
    );
  },

  async "7.7 an unfit chosen value is refused before it is set"(world: IssuerWorld) {
    needsChosen(world);
    const session = await world.open();
    const intent = await intend(session, 1, []);
    assert.ok(intent.chosen !== undefined);
    for (const text of [
      new Secret("line\nbreak=1"),
      new Secret("nul\0byte"),
      new Secret("ab".repeat(10_000)),
      "",
      "***",
    ]) {
      const chosen = withText(world, intent.chosen, text);
      await assertUntouched(world, async () => assertFails(issue(session, { ...intent, chosen }), "value_unfit"));
    }
  },

  async "7.7 an unfit minted value is refused and can be abandoned"(world: IssuerWorld) {
    needsMinted(world);
    const session = await world.open();
    for (const text of ["line\nbreak=1", "********", "[redacted]"]) {
      await ability(world, "mintNext")(text);
      const intent = await intend(session, 1, []);
      await assertFails(issue(session, intent), "value_unfit");
      await session.abandon(effectOn("", { operationKey: intent.operationKey }));
      assert.equal(await liveCount(world), 0, "the unfit version must be found by its key and ended");
    }
  },

  async "3 a handle names one version and is never used again"(world: IssuerWorld) {
    const session = await world.open();
    const { definition, config } = world;
    const handles: string[] = [];
    for (let version = 1; version <= 4; version++) {
      const made = await makeVersion(session, version, []);
      assert.equal(definition.handleOf(config, made.value, version), made.handle);
      handles.push(made.handle);
      await session.abandon(effectOn(made.handle, { operationKey: made.intent.operationKey }));
    }
    assert.equal(new Set(handles).size, handles.length, "a handle came back for another version");
  },

  async "3 every login of a version is a principal that the configuration names"(world: IssuerWorld) {
    needsChosen(world);
    const { definition, config } = world;
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    assert.ok(definition.principalsOf(config).includes(world.nameOf(made.value)));
    assert.deepEqual(await liveNames(world), [world.nameOf(made.value)]);
  },

  async "5 an outdated claim cannot issue"(world: IssuerWorld) {
    const session = await world.open();
    const intent = await intend(session, 1, []);
    const [older, newer] = [nextClaim(), nextClaim()];
    assert.ok(compareClaims(older, newer) < 0);
    const made = await issue(session, intent, newer);
    const late = await world.open();
    await assertUntouched(world, async () => assertFails(issue(late, intent, older), "claim_outdated"));
    await assertLogin(world, made.value, "accepted");
  },

  async "5 a late issue of version 1 does not overwrite version 2"(world: IssuerWorld) {
    if (isOverlap(world)) notApplicable("version 1 lives in a slot of its own");
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    const stale = nextClaim();
    const second = await makeVersion(session, 2, []);
    for (const claim of [stale, nextClaim()])
      await assertUntouched(world, async () => assertFails(issue(session, first.intent, claim), "claim_outdated"));
    await assertLogin(world, second.value, "accepted");
  },

  async "5 a late issue cannot revive what was abandoned"(world: IssuerWorld) {
    const { session: slow, onItsWay, release } = await ability(world, "holdNextEffect")();
    const before = await liveNames(world);
    const intent = await intend(slow, 1, []);
    const late = issue(slow, intent).catch(orRefused);
    await Promise.race([onItsWay, late]);
    const session = await world.open();
    const abandon = () => session.abandon(effectOn(intent.handle, { operationKey: intent.operationKey }));
    await abandon();
    release();
    await late;
    // Where only a fresh name guards, the late one lands: then tidy's second look must find and end it.
    if (!chooses(world)) await abandon();
    assert.deepEqual(await liveNames(world), before, "a version nobody knows is alive");
    if (intent.chosen !== undefined) await assertLogin(world, intent.chosen, "refused");
  },

  async "7.4 an abandoned candidate is refused and nothing else is"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await assertUntouched(
      world,
      () => session.abandon(effectOn(second.handle, { operationKey: second.intent.operationKey })),
      [first.value],
    );
    await assertLogin(world, second.value, "refused");
    await assertLogin(world, first.value, "accepted");
  },

  async "7.4 abandon succeeds when the candidate is gone or never was"(world: IssuerWorld) {
    const session = await world.open();
    const intent = await intend(session, 1, []);
    const gone = () => effectOn(intent.handle, { operationKey: intent.operationKey });
    const live = async () => (await world.listBehindBack()).map(({ name, isLive }) => ({ name, isLive }));
    const before = await live();
    await session.abandon(gone());
    // It may leave a trace, so that a call that would still make the candidate finds that it is too late.
    assert.deepEqual(await live(), before);
    const made = await issue(session, intent);
    await session.abandon({ ...gone(), handle: made.handle });
    await session.abandon({ ...gone(), handle: made.handle });
    await (await world.open()).abandon({ ...gone(), handle: made.handle });
    await assertLogin(world, made.value, "refused");
  },

  async "7.4 abandon in a single slot brings the former value back"(world: IssuerWorld) {
    if (isOverlap(world)) notApplicable("two versions live at once");
    const session = await world.open();
    const first = await makeVersion(session, 1, []);
    const second = await makeVersion(session, 2, []);
    await assertLogin(world, first.value, "refused");
    const request = { ...effectOn(second.handle), restore: { handle: first.handle, value: first.value } };
    await session.abandon(request);
    await session.abandon({ ...request, claim: nextClaim() });
    await assertLogin(world, first.value, "accepted");
    await assertLogin(world, second.value, "refused");
    assert.ok((await seen(world, first.value))?.isLive);
  },
};
