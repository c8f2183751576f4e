import assert from "node:assert/strict";
import { assertRead, deliveryOf } from "./consumer-bench.ts";
import { consumerAbility, type ConsumerWorld } from "./consumer-world.ts";
import { assertFails } from "./failing.ts";

/** What a world says it does, it does: a clause whose trouble never came would pass whatever the consumer did. */
export const consumerWorldChecks = {
  async "a hand on our key and on what is not ours shows behind the back"(world: ConsumerWorld) {
    const [ours, foreign] = [consumerAbility(world, "changeOurs"), consumerAbility(world, "changeForeign")];
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    const before = { foreign: await world.foreignBehindBack(), fingerprint: await world.fingerprint() };
    await ours("by-hand");
    assert.equal((await world.readBehindBack())[world.secretField], "by-hand");
    assert.deepEqual(await world.foreignBehindBack(), before.foreign);
    assert.notEqual(await world.fingerprint(), before.fingerprint);
    await foreign();
    assert.notDeepEqual(await world.foreignBehindBack(), before.foreign);
  },

  async "a removed target holds nothing"(world: ConsumerWorld) {
    await (await world.open()).deliver(deliveryOf(1, world.freshValue()));
    await consumerAbility(world, "removeTarget")();
    assert.equal((await world.readBehindBack())[world.secretField], undefined);
  },

  async "a swallowed write changes nothing"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    await consumerAbility(world, "swallowWrites")();
    await session.deliver(deliveryOf(2, world.freshValue())).catch(() => undefined);
    await assertRead(world, value);
  },

  async "a lost answer was a write"(world: ConsumerWorld) {
    const losing = await consumerAbility(world, "loseNextAnswer")();
    const value = world.freshValue();
    await assertFails(losing.deliver(deliveryOf(1, value)));
    await assertRead(world, value);
  },

  async "a write that is held has no effect until it is released"(world: ConsumerWorld) {
    const { session, onItsWay, release } = await consumerAbility(world, "holdNextWrite")();
    const before = await world.readBehindBack();
    const value = world.freshValue();
    const delivering = session.deliver(deliveryOf(1, value));
    await onItsWay;
    assert.deepEqual(await world.readBehindBack(), before);
    release();
    await delivering;
    await assertRead(world, value);
  },

  async "nothing can be written where it is read-only or full"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    for (const name of ["fillUp", "makeReadOnly"] as const) {
      await consumerAbility(world, name)();
      await assertFails(session.deliver(deliveryOf(2, world.freshValue())));
      await assertRead(world, value);
    }
  },
};
