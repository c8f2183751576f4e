import assert from "node:assert/strict";
import { TransientError } from "../../../domain/errors.ts";
import type { IssuerSession, ProbeRequest } from "../../../providers/contract/issuer.ts";
import {
  assertLogin,
  effectOn,
  isOverlap,
  makePair,
  makeVersion,
  needsTwo,
  repeated,
  wrongValue,
  type Made,
} from "../issuer-bench.ts";
import { notApplicable } from "../applicability.ts";
import { ability, type IssuerWorld } from "../issuer-world.ts";

/** Every different verdict of a few in a row. */
const verdicts = async (world: IssuerWorld, session: IssuerSession, request: ProbeRequest) => [
  ...new Set((await repeated(world, () => session.probe(request))).map(({ verdict }) => verdict)),
];

/** Version 1 dead, version 2 alive and known as the control. */
async function makeDead(world: IssuerWorld, session: IssuerSession): Promise<{ dead: Made; live: Made }> {
  if (!isOverlap(world)) {
    const dead = await makeVersion(session, 1, []);
    const live = await makeVersion(session, 2, []);
    await world.settle();
    return { dead, live };
  }
  const [dead, live] = await makePair(world, session);
  await session.revoke(effectOn(dead.handle));
  await world.settle();
  return { dead, live };
}

const asked = (of: Made, control?: Made): ProbeRequest => {
  const request = { handle: of.handle, value: of.value };
  return control === undefined ? request : { ...request, control: control.value };
};

export const probeClauses = {
  async "7.5 a live version is accepted, under a control"(world: IssuerWorld) {
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    await world.settle();
    assert.deepEqual(await verdicts(world, session, asked(made)), ["accepted"]);
    assert.deepEqual(await verdicts(world, session, asked(made, made)), ["accepted"]);
    const { controls } = await session.probe(asked(made));
    assert.ok(controls.length > 0, "the answer names the control it stands on");
  },

  async "7.5 a wrong value is never accepted"(world: IssuerWorld) {
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    await world.settle();
    const answers = await verdicts(world, session, { handle: made.handle, value: wrongValue(world, made.value) });
    assert.ok(!answers.includes("accepted"));
  },

  async "7.5 an ended version is refused, by a code that means ended"(world: IssuerWorld) {
    const session = await world.open();
    const { dead, live } = await makeDead(world, session);
    assert.deepEqual(await verdicts(world, session, asked(dead, live)), ["refused"]);
    const { code, controls } = await session.probe(asked(dead, live));
    assert.ok(world.definition.facts.endedCodes.includes(code), `${code} is none of the declared codes`);
    assert.ok(controls.length > 0, "the answer names the controls it stands on");
  },

  async "7.5 without a version to compare, the connection's own login is the control"(world: IssuerWorld) {
    const session = await world.open();
    const made = await makeVersion(session, 1, []);
    await session.revoke(effectOn(made.handle));
    await world.settle();
    assert.deepEqual(await verdicts(world, session, asked(made)), ["refused"]);
  },

  async "7.5 an ended version stays refused while a later one lives in its slot"(world: IssuerWorld) {
    const session = await world.open();
    needsTwo(world);
    const { dead, live } = await makeDead(world, session);
    const third = await makeVersion(session, 3, [live.handle]);
    await world.settle();
    assert.deepEqual(await verdicts(world, session, asked(dead, third)), ["refused"]);
  },

  async "7.5 where anything is accepted, nothing is proven"(world: IssuerWorld) {
    const trust = ability(world, "acceptEverything");
    const session = await world.open();
    const { dead, live } = await makeDead(world, session);
    await trust();
    assert.deepEqual(await verdicts(world, session, asked(live)), ["unknown"]);
    assert.deepEqual(await verdicts(world, session, asked(dead, live)), ["unknown"]);
  },

  async "7.5 an outage is unknown"(world: IssuerWorld) {
    const takeDown = ability(world, "takeDown");
    const session = await world.open();
    const { dead, live } = await makeDead(world, session);
    await takeDown();
    for (const request of [asked(live), asked(dead, live)]) {
      const answer = await session.probe(request).catch((error: unknown) => {
        assert.ok(error instanceof TransientError, `an outage passes by itself: ${String(error)}`);
        return { verdict: "unknown" };
      });
      assert.equal(answer.verdict, "unknown");
    }
  },

  async "7.5 an access rule is unknown"(world: IssuerWorld) {
    const rule = ability(world, "refuseByRule");
    const session = await world.open();
    const { dead, live } = await makeDead(world, session);
    await rule([dead.value]);
    assert.deepEqual(await verdicts(world, session, asked(dead, live)), ["unknown"]);
    await rule([dead.value, live.value]);
    assert.deepEqual(await verdicts(world, session, asked(live)), ["unknown"]);
  },

  async "7.5 a rule in front of a living version does not make it dead"(world: IssuerWorld) {
    const rule = ability(world, "refuseByRule");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await world.settle();
    await rule([first.value]);
    assert.deepEqual(await verdicts(world, session, asked(first, second)), ["unknown"]);
  },

  async "7.5 a full connection limit is unknown"(world: IssuerWorld) {
    const fill = ability(world, "fillConnectionLimit");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await world.settle();
    await fill(first.value);
    assert.deepEqual(await verdicts(world, session, asked(first, second)), ["unknown"]);
  },

  async "7.5 a lockout is unknown"(world: IssuerWorld) {
    const lockOut = ability(world, "lockOut");
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await world.settle();
    await lockOut(first.value);
    assert.deepEqual(await verdicts(world, session, asked(first, second)), ["unknown"]);
  },

  async "7.5 a refusal without a live control is unknown"(world: IssuerWorld) {
    const session = await world.open();
    const { dead, live } = await makeDead(world, session);
    const request = { ...asked(dead), control: wrongValue(world, live.value) };
    assert.deepEqual(await verdicts(world, session, request), ["unknown"]);
  },

  async "7.5 the catalogue must agree with a refusal"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await world.settle();
    const request = { handle: first.handle, value: wrongValue(world, first.value), control: second.value };
    assert.deepEqual(await verdicts(world, session, request), ["unknown"]);
    await assertLogin(world, first.value, "accepted");
  },

  async "7.5 disabled is not dead"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    if (session.disable === undefined) notApplicable("the issuer cannot disable");
    await session.disable(effectOn(first.handle));
    await world.settle();
    assert.deepEqual(await verdicts(world, session, asked(first, second)), ["unknown"]);
  },

  async "7.5 wrong values are not tried on a login in use"(world: IssuerWorld) {
    needsTwo(world);
    const wrongTriesOn = ability(world, "wrongTriesOn");
    const session = await world.open();
    const { dead, live } = await makeDead(world, session);
    const before = await wrongTriesOn(live.value);
    await verdicts(world, session, asked(live));
    await verdicts(world, session, asked(dead, live));
    assert.equal((await wrongTriesOn(live.value)) - before, 0);
  },

  async "20 answers hold once the declared lag is over"(world: IssuerWorld) {
    const session = await world.open();
    const [first, second] = await makePair(world, session);
    await world.settle();
    for (let round = 0; round < 3; round++)
      assert.deepEqual(await verdicts(world, session, asked(second)), ["accepted"]);
    await session.revoke(effectOn(first.handle));
    await world.settle();
    for (let round = 0; round < 3; round++) {
      assert.deepEqual(await verdicts(world, session, asked(first, second)), ["refused"]);
      assert.equal(await world.logsIn(first.value), "refused");
    }
  },

  async "7.5 a probe has no effect"(world: IssuerWorld) {
    const session = await world.open();
    const { dead, live } = await makeDead(world, session);
    const before = await world.listBehindBack();
    await verdicts(world, session, asked(live));
    await verdicts(world, session, asked(dead, live));
    assert.deepEqual(await world.listBehindBack(), before);
  },
};
