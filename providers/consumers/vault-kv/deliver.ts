import { compareClaims } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError, TransientError } from "../../../domain/errors.ts";
import type { Delivery } from "../../contract/consumer.ts";
import { patchKv } from "../../systems/vault/kv.ts";
import { placeIn } from "./config.ts";
import { digestOf, heldIn, holdsAll, wantedOf, writtenOver, type Texts } from "./content.ts";
import { foreignHands } from "./hands.ts";
import { markIn, markKeyOf, rivalOf, writtenMark } from "./mark.ts";
import { keysOf, named, readSecret, type LiveVersion, type Target } from "./target.ts";

/** How often others may come between before we give the turn back. */
const mostRounds = 8;

/** Two registrations that write one key would overwrite each other for ever. */
export function rivalry(target: Target, { data }: LiveVersion): OperatorNeededError | undefined {
  const rival = rivalOf(data, keysOf(target), target.consumer);
  if (rival === undefined) return undefined;
  return new OperatorNeededError(
    "target_refused",
    `Key ${rival.key} is delivered by another consumer of rekey, whose mark is ${rival.mark}. Give one of the two another key. If that one is not registered any more, remove its mark (vault kv patch -remove-data=${rival.mark} ${named(target)}); then retry.`,
  );
}

const tooLarge = (target: Target): TransientError =>
  new TransientError(
    "target_full",
    `Vault's storage takes no secret of this size (${named(target)}). Take out what is not needed; nothing was changed.`,
  );

async function drifted(target: Target, now: LiveVersion, when: string): Promise<OperatorNeededError> {
  const hands = await foreignHands(target, now);
  const who = hands === "" ? "Find out in Vault's audit log who writes the secret" : `${hands} Stop that`;
  return new OperatorNeededError(
    "target_drift",
    `One of our keys was changed by somebody else ${when}. ${who}, and put our value back; then retry, or roll back.`,
  );
}

function refuseLate({ data }: LiveVersion, { consumer }: Target, { number }: Delivery): number {
  const there = markIn(data, consumer)?.number;
  const order = there === undefined ? -1 : compareClaims(there, number);
  if (order > 0) throw new PermanentError("claim_outdated", "A later delivery has been at the secret.");
  return order;
}

/** One round: the digest when it is done, undefined when somebody came between and it has to start over. */
async function round(target: Target, delivery: Delivery, wanted: Texts): Promise<string | undefined> {
  const { vault, signal, config, name, consumer, digestKey } = target;
  const before = await readSecret(target);
  const order = refuseLate(before, target, delivery);
  const held = heldIn(before.data, config);
  const isHeld = holdsAll(held, wanted, config);
  const digest = digestOf(held, name, digestKey);
  if (isHeld && order === 0) return digest;
  const rival = rivalry(target, before);
  if (rival !== undefined) throw rival;
  if (!isHeld && delivery.expected !== undefined && delivery.expected !== digest)
    throw await drifted(target, before, "since the last delivery");
  const mark = writtenMark({ number: delivery.number, version: before.version + 1, keys: keysOf(target) });
  const data = { ...writtenOver(held, wanted, config), [markKeyOf(consumer)]: mark };
  signal.throwIfAborted();
  const done = await patchKv(vault, placeIn(config), { data, cas: before.version }, signal);
  if (done === "too-large") throw tooLarge(target);
  const after = await readSecret(target);
  if (done !== "done" && after.version === before.version) throw refused(target);
  if (done !== "done") return undefined;
  const later = refuseLate(after, target, delivery);
  const found = heldIn(after.data, config);
  if (later === 0 && holdsAll(found, wanted, config)) return digestOf(found, name, digestKey);
  throw await drifted(target, after, "right after it was written");
}

const refused = (target: Target): OperatorNeededError =>
  new OperatorNeededError(
    "target_refused",
    `Vault does not take the change (${named(target)}), although nobody came between. Try it by hand with the same login (vault kv patch) to see why, then retry.`,
  );

/** Compare-and-set by the secret's version, which Vault itself checks: a call that is held up on its way comes too late. */
export async function deliver(target: Target, delivery: Delivery): Promise<{ readonly digest: string }> {
  const wanted = wantedOf(delivery.value, target.config);
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    target.signal.throwIfAborted();
    const digest = await round(target, delivery, wanted);
    if (digest !== undefined) return { digest };
  }
  throw new TransientError(
    "target_drift",
    "Somebody else kept changing the secret while it was being written. It will be tried again.",
  );
}
