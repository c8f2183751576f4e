import assert from "node:assert/strict";
import type { Delivery } from "../../providers/contract/consumer.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";
import type { ConsumerWorld } from "./consumer-world.ts";

export function deliveryOf(number: number, value: Value, expected?: string, epoch = 1): Delivery {
  const delivery = { version: number, number: { epoch, number }, value };
  return expected === undefined ? delivery : { ...delivery, expected };
}

/** The fields that the consumer needs, as the application should read them. */
export function textsOf(world: ConsumerWorld, value: Value): Readonly<Record<string, string>> {
  const fields = world.definition.fieldsOf(world.config);
  return Object.fromEntries(fields.map((field) => [field, revealField(value, field)]));
}

export async function assertRead(world: ConsumerWorld, value: Value, why = "the application reads"): Promise<void> {
  assert.deepEqual(await world.readBehindBack(), textsOf(world, value), why);
}

/** The same value with another text in the secret field, whatever a Secret would say to it. */
export const withText = (world: ConsumerWorld, value: Value, text: Value[string]): Value => ({
  ...value,
  [world.secretField]: text,
});

export const secretOf = (world: ConsumerWorld, value: Value): string => revealField(value, world.secretField);

/** Runs something that must leave the target, ours and others', as it was. */
export async function assertLeftAlone(world: ConsumerWorld, work: () => Promise<unknown>): Promise<void> {
  const look = async () => ({ ours: await world.readBehindBack(), foreign: await world.foreignBehindBack() });
  const before = await look();
  await work();
  assert.deepEqual(await look(), before, "the target is not what it was");
}
