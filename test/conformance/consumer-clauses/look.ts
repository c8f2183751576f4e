import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Secret } from "../../../providers/contract/secret.ts";
import { notApplicable } from "../applicability.ts";
import { assertLeftAlone, assertRead, deliveryOf, secretOf, withText } from "../consumer-bench.ts";
import { consumerAbility, ownTeam, type ConsumerWorld } from "../consumer-world.ts";
import { assertFails, saidBy } from "../failing.ts";

export const lookClauses = {
  async "5 observe looks at the target, not into its memory"(world: ConsumerWorld) {
    const change = consumerAbility(world, "changeOurs");
    const session = await world.open();
    const value = world.freshValue();
    const { digest } = await session.deliver(deliveryOf(1, value));
    await change("by-hand");
    const seen = await session.observe();
    assert.notEqual(seen.digest, digest);
    assert.equal(seen.holds(value), false);
  },

  async "5 observe shows what deliver told, to every worker"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    const { digest } = await session.deliver(deliveryOf(4, value, undefined, 2));
    for (const each of [session, await world.open()]) {
      const seen = await each.observe();
      assert.equal(seen.digest, digest);
      assert.deepEqual(seen.number, { epoch: 2, number: 4 });
      assert.equal(seen.holds(value), true);
    }
  },

  async "12 a target that nobody wrote is empty, one that anybody wrote is not"(world: ConsumerWorld) {
    const session = await world.open();
    const before = await session.observe();
    assert.equal(before.isEmpty, true);
    assert.equal(before.number, undefined);
    const change = consumerAbility(world, "changeOurs");
    await change("by-hand");
    assert.equal((await session.observe()).isEmpty, false, "a first delivery would overwrite somebody");
    await session.deliver(deliveryOf(1, world.freshValue()));
    assert.equal((await session.observe()).isEmpty, false);
  },

  async "12 the digest follows our keys' content and nothing else"(world: ConsumerWorld) {
    const session = await world.open();
    const [one, two] = [world.freshValue(), world.freshValue()];
    const first = await session.deliver(deliveryOf(1, one));
    const second = await session.deliver(deliveryOf(2, two));
    assert.notEqual(second.digest, first.digest);
    const { changeForeign } = world.abilities;
    if (typeof changeForeign === "function") await changeForeign();
    assert.equal((await session.observe()).digest, second.digest, "what is not ours is not in it");
    assert.equal((await session.deliver(deliveryOf(3, one))).digest, first.digest);
  },

  async "6 the digest is keyed"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    const { digest } = await session.deliver(deliveryOf(1, value));
    const other = await world.open({ digestKey: randomBytes(32) });
    assert.notEqual((await other.observe()).digest, digest, "whoever lacks the key must not be able to compare");
    assert.ok(!digest.includes(secretOf(world, value)));
  },

  async "13 it holds exactly the value and no other"(world: ConsumerWorld) {
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    const { holds } = await session.observe();
    assert.equal(holds(value), true);
    const text = secretOf(world, value);
    const others = [text.slice(0, -1), text.slice(1), `${text}x`, ` ${text}`, text.toUpperCase(), text.slice(0, 1)];
    for (const other of others.filter((each) => each !== text))
      assert.equal(holds(withText(world, value, new Secret(other))), false);
    for (const field of world.definition.fieldsOf(world.config))
      assert.equal(holds({ ...value, [field]: "another" }), false, `another ${field} is another value`);
  },

  async "13 it does not hold a value that was cut on the way"(world: ConsumerWorld) {
    const change = consumerAbility(world, "changeOurs");
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    await change(secretOf(world, value).slice(0, -1));
    assert.equal((await session.observe()).holds(value), false);
  },

  async "16 preflight finds nothing wrong where nothing is, and does nothing"(world: ConsumerWorld) {
    const session = await world.open();
    for (const number of [0, 1]) {
      if (number > 0) await session.deliver(deliveryOf(number, world.freshValue()));
      const before = await world.fingerprint();
      assert.deepEqual(await session.preflight(), []);
      assert.equal(await world.fingerprint(), before, "preflight has an effect");
    }
  },

  async "16 looking has no effect"(world: ConsumerWorld) {
    const session = await world.open();
    await session.deliver(deliveryOf(1, world.freshValue()));
    const before = await world.fingerprint();
    await session.observe();
    await (await world.open()).observe();
    assert.equal(await world.fingerprint(), before);
  },

  async "16 a target that cannot be written is said so, and keeps what it has"(world: ConsumerWorld) {
    const makeReadOnly = consumerAbility(world, "makeReadOnly");
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    await makeReadOnly();
    assert.ok((await session.preflight()).some(({ code }) => code === "target_read_only"));
    await assertFails(session.deliver(deliveryOf(2, world.freshValue())), "target_read_only");
    await assertRead(world, value);
  },

  async "16 a full target is said so, and keeps what it has"(world: ConsumerWorld) {
    const fillUp = consumerAbility(world, "fillUp");
    const session = await world.open();
    const value = world.freshValue();
    await session.deliver(deliveryOf(1, value));
    await fillUp();
    await assertFails(session.deliver(deliveryOf(2, world.freshValue())), "target_full");
    await assertRead(world, value);
  },

  async "16 a target that cannot be read is left as it is"(world: ConsumerWorld) {
    const malform = consumerAbility(world, "malform");
    const session = await world.open();
    await session.deliver(deliveryOf(1, world.freshValue()));
    await malform();
    const before = await world.fingerprint();
    assert.ok((await session.preflight()).some(({ code }) => code === "target_malformed"));
    await assertFails(session.observe(), "target_malformed");
    const foreign = await world.foreignBehindBack();
    await assertFails(session.deliver(deliveryOf(2, world.freshValue())), "target_malformed");
    assert.deepEqual(await world.foreignBehindBack(), foreign);
    assert.ok(before.length > 0);
  },

  async "3 a target is one address, told without access"(world: ConsumerWorld) {
    const { definition, config, abilities } = world;
    const { own } = typeof abilities.connections === "function" ? await abilities.connections() : {};
    const target = definition.targetOf(config, own);
    assert.ok(target.startsWith(`${definition.kind}:`), "the kind is part of the address");
    assert.equal(definition.targetOf(structuredClone(config), structuredClone(own)), target);
    const fields = definition.fieldsOf(config);
    assert.ok(fields.includes(world.secretField));
    assert.equal(new Set(fields).size, fields.length);
  },

  async "3 a connection's own address is part of the target, and only teams that it lists may use it"(
    world: ConsumerWorld,
  ) {
    const { own, elsewhere } = await consumerAbility(world, "connections")();
    const { definition, config } = world;
    for (const settings of [own, elsewhere])
      assert.deepEqual(definition.connectionKind?.connectionSchema.parse(settings), settings);
    assert.notEqual(definition.targetOf(config, own), definition.targetOf(config, elsewhere));
    assert.equal(definition.refuses?.(own, config, ownTeam), undefined);
    for (const team of ["anybody", "constructor", ""]) {
      const refusal = definition.refuses?.(own, config, team);
      assert.ok(refusal !== undefined && refusal !== "", `team "${team}" is not listed`);
    }
  },

  async "3 reload reaches the consumer"(world: ConsumerWorld) {
    const reloads = consumerAbility(world, "reloads");
    const session = await world.open();
    if (session.reload === undefined) notApplicable("the consumer reads its target by itself");
    // Only what was delivered is worth a reload.
    await session.deliver(deliveryOf(1, world.freshValue()));
    const before = await reloads();
    await session.reload();
    assert.equal(await reloads(), before + 1);
  },

  async "6 no secret is in an error, a finding or the log"(world: ConsumerWorld) {
    const said: string[] = [];
    const session = await world.open({ log: (event, fields) => said.push(event, JSON.stringify(fields ?? {})) });
    const keepError = (error: unknown) => void said.push(...saidBy(error));
    const values = [1, 2, 3].map(() => world.freshValue());
    const [first, second, third] = values;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const { digest } = await session.deliver(deliveryOf(5, first));
    await session.deliver(deliveryOf(4, second)).catch(keepError);
    await session.deliver(deliveryOf(6, second, `${digest}x`)).catch(keepError);
    const spoiled = withText(world, third, new Secret(`${secretOf(world, third)}\n`));
    await session.deliver(deliveryOf(7, spoiled)).catch(keepError);
    for (const name of ["malform", "makeReadOnly"] as const) {
      const spoil = world.abilities[name];
      if (typeof spoil === "function") await spoil();
      said.push(JSON.stringify(await session.preflight()));
      await session.deliver(deliveryOf(8, second)).catch(keepError);
    }
    const text = said.join("\n");
    for (const value of values) assert.ok(!text.includes(secretOf(world, value)), "a secret was said");
    await assertLeftAlone(world, () => session.preflight());
  },
};
