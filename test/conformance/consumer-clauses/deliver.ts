import assert from "node:assert/strict";
import { RekeyError } from "../../../domain/errors.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { assertLeftAlone, assertRead, deliveryOf, secretOf, textsOf, withText } from "../consumer-bench.ts";
import { consumerAbility, type ConsumerWorld } from "../consumer-world.ts";
import { assertFails, orRefused } from "../failing.ts";

const rounds = 15;

export const deliverClauses = {
  async "7.4 what is delivered is what the application reads"(world: ConsumerWorld) {
    const session = await world.open();
    for (const number of [1, 2, 3]) {
      const value = world.freshValue();
      await session.deliver(deliveryOf(number, value));
      await assertRead(world, value);
    }
  },

  async "7.4 deliver succeeds when it holds already"(world: ConsumerWorld) {
    const session = await world.open();
    const first = await session.deliver(deliveryOf(1, world.freshValue()));
    const delivery = deliveryOf(2, world.freshValue(), first.digest);
    const once = await session.deliver(delivery);
    // What is expected is by now what was there before: a repeat must not take its own write for drift.
    for (const again of [session, await world.open()]) assert.deepEqual(await again.deliver(delivery), once);
    assert.deepEqual(await session.deliver({ ...delivery, number: { epoch: 1, number: 3 } }), once);
    await assertRead(world, delivery.value);
  },

  async "7.4 a lost answer can be repeated"(world: ConsumerWorld) {
    const losing = await consumerAbility(world, "loseNextAnswer")();
    const session = await world.open();
    const { digest } = await session.observe();
    const delivery = deliveryOf(1, world.freshValue(), digest);
    await assertFails(losing.deliver(delivery));
    await assertRead(world, delivery.value, "the write was applied");
    await (await world.open()).deliver(delivery);
    await assertRead(world, delivery.value);
  },

  async "7.4 delivered means written"(world: ConsumerWorld) {
    const swallow = consumerAbility(world, "swallowWrites");
    const session = await world.open();
    await session.deliver(deliveryOf(1, world.freshValue()));
    await swallow();
    await assertFails(session.deliver(deliveryOf(2, world.freshValue())));
  },

  async "12 nothing but its own keys is changed"(world: ConsumerWorld) {
    const session = await world.open();
    const before = await world.foreignBehindBack();
    for (const number of [1, 2]) await session.deliver(deliveryOf(number, world.freshValue()));
    assert.deepEqual(await world.foreignBehindBack(), before);
  },

  async "12 a hand on our key stops the delivery"(world: ConsumerWorld) {
    const change = consumerAbility(world, "changeOurs");
    const session = await world.open();
    const { digest } = await session.deliver(deliveryOf(1, world.freshValue()));
    await change("by-hand");
    await assertLeftAlone(world, async () => {
      const error = await assertFails(session.deliver(deliveryOf(2, world.freshValue(), digest)), "target_drift");
      assert.equal(error.name, "OperatorNeededError");
    });
  },

  async "12 a hand on what is not ours is kept and stops nothing"(world: ConsumerWorld) {
    const change = consumerAbility(world, "changeForeign");
    const session = await world.open();
    const { digest } = await session.deliver(deliveryOf(1, world.freshValue()));
    await change();
    const changed = await world.foreignBehindBack();
    const value = world.freshValue();
    await session.deliver(deliveryOf(2, value, digest));
    await assertRead(world, value);
    assert.deepEqual(await world.foreignBehindBack(), changed);
  },

  async "12 a target that somebody removed is not made again"(world: ConsumerWorld) {
    const remove = consumerAbility(world, "removeTarget");
    const session = await world.open();
    const { digest } = await session.deliver(deliveryOf(1, world.freshValue()));
    await remove();
    await assertLeftAlone(world, async () =>
      assertFails(
        session.deliver(deliveryOf(2, world.freshValue(), digest)),
        "target_drift",
        "target_unreachable",
        "target_malformed",
      ),
    );
  },

  async "5 a lower number never overwrites a higher"(world: ConsumerWorld) {
    const session = await world.open();
    await session.deliver(deliveryOf(7, world.freshValue()));
    const late = await world.open();
    await assertLeftAlone(world, async () =>
      assertFails(late.deliver(deliveryOf(6, world.freshValue())), "claim_outdated"),
    );
  },

  async "5 the epoch counts before the number"(world: ConsumerWorld) {
    const session = await world.open();
    await session.deliver(deliveryOf(9, world.freshValue()));
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value, undefined, 2));
    await assertRead(world, value, "a later epoch overwrites");
    await assertLeftAlone(world, async () =>
      assertFails(session.deliver(deliveryOf(10, world.freshValue())), "claim_outdated"),
    );
  },

  async "5 a number that held already still shuts out lower ones"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(3, value));
    await session.deliver(deliveryOf(8, value));
    await assertLeftAlone(world, async () =>
      assertFails(session.deliver(deliveryOf(5, world.freshValue())), "claim_outdated"),
    );
  },

  async "5 a delivery held up on its way does not land after a later one"(world: ConsumerWorld) {
    const hold = consumerAbility(world, "holdNextWrite");
    const session = await world.open();
    await session.deliver(deliveryOf(1, world.freshValue()));
    const { session: slow, onItsWay, release } = await hold();
    const late = slow.deliver(deliveryOf(2, world.freshValue())).catch(orRefused);
    await Promise.race([onItsWay, late]);
    const value = world.freshValue();
    await session.deliver(deliveryOf(3, value));
    release();
    await late;
    await assertRead(world, value, "the higher number stays");
  },

  async "5 of many deliveries at once the highest stays"(world: ConsumerWorld) {
    for (let round = 0; round < rounds; round++) {
      const values = [0, 1, 2].map(() => world.freshValue());
      const work = values.map(async (value, index) => {
        const session = await world.open();
        const done = session.deliver(deliveryOf(round * 10 + index, value));
        // The highest may have to be sent again, as any step is; the others may lose.
        await (index === 2
          ? done.catch(() => session.deliver(deliveryOf(round * 10 + index, value)))
          : done.catch(orRefused));
      });
      await Promise.all(work);
      const highest = values[2];
      assert.ok(highest !== undefined);
      await assertRead(world, highest, "the highest number stays");
    }
  },

  async "1 a reader never sees half of a value"(world: ConsumerWorld) {
    const session = await world.open();
    const values = Array.from({ length: rounds }, () => world.freshValue());
    const whole = new Set(values.map((value) => JSON.stringify(textsOf(world, value))));
    const first = values[0];
    assert.ok(first !== undefined);
    await session.deliver(deliveryOf(1, first));
    const isOver = { yet: false };
    const reading = (async () => {
      while (!isOver.yet) {
        const read = JSON.stringify(await world.readBehindBack());
        assert.ok(whole.has(read), "the application read something that was never delivered");
        await new Promise<void>((resolve) => void setImmediate(resolve));
      }
    })();
    const delivering = (async () => {
      for (const [index, value] of values.entries()) await session.deliver(deliveryOf(index + 2, value));
    })().finally(() => (isOver.yet = true));
    await Promise.all([reading, delivering]);
  },

  async "13 an empty, redacted or cut value is never written"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    const { digest } = await session.deliver(deliveryOf(1, value));
    const texts = ["", "***", "[secret]", "<redacted>", new Secret("line\nbreak=1"), new Secret("nul\0byte")];
    for (const [index, text] of [...texts, new Secret("cut in a character \ud83d")].entries())
      await assertLeftAlone(world, async () =>
        assertFails(session.deliver(deliveryOf(index + 2, withText(world, value, text), digest)), "value_unfit"),
      );
  },

  async "13 an unusual character arrives or is refused, and is never changed on the way"(world: ConsumerWorld) {
    const session = await world.open();
    const texts = [
      `"q'u\`o$t{e}s\\ \\n #%&=;:|<>[]()!?*~^`,
      ...[" spaces around ", "é€𝄞", "$HOME ${HOME} $(id)", "a#b", "a #b", "#", "null", "0x1F", "~", "- x", "a: b"],
      ...["'single'", '"double"', "back\\slash", "\u200b", "=", "a=b", "%41", "&amp;", "@x", "!x", "{x}", "1e5", "yes"],
    ];
    let arrived = 0;
    for (const [index, text] of texts.entries()) {
      const value = withText(world, world.freshValue(), new Secret(text));
      const before = await world.readBehindBack();
      const isRefused = await session.deliver(deliveryOf(index + 1, value)).then(
        () => false,
        (error: unknown) => error instanceof RekeyError && error.code === "value_unfit",
      );
      if (isRefused) assert.deepEqual(await world.readBehindBack(), before);
      else await assertRead(world, value);
      if (!isRefused) assert.equal((await session.observe()).holds(value), true);
      arrived += isRefused ? 0 : 1;
    }
    assert.ok(arrived > texts.length / 2, "most of what a value may hold must arrive");
  },

  async "7.7 a value without a field that is needed is refused"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    const { [world.secretField]: _, ...without } = world.freshValue();
    await assertLeftAlone(world, async () => assertFails(session.deliver(deliveryOf(2, without)), "value_unfit"));
    assert.ok(secretOf(world, value).length > 0);
  },

  async "6 a cancelled delivery has no effect"(world: ConsumerWorld) {
    const cancel = new AbortController();
    const session = await world.open({ signal: cancel.signal });
    cancel.abort();
    await assertLeftAlone(world, async () => {
      const done = await session.deliver(deliveryOf(1, world.freshValue())).catch(() => undefined);
      assert.equal(done, undefined, "it went on although it was told to stop");
    });
  },
};
