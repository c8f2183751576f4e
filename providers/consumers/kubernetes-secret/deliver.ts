import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError, TransientError } from "../../../domain/errors.ts";
import type { Delivery } from "../../contract/consumer.ts";
import { patchObject, type Patch } from "./api.ts";
import {
  asBase64,
  digestOf,
  heldIn,
  holdsAll,
  largestSecret,
  sizeWith,
  wantedOf,
  writtenOver,
  type Texts,
} from "./content.ts";
import type { SecretObject } from "./objects.ts";
import { annotationOf, foreignHands, isUntouched, managerOf, rivalOf, writtenNumber } from "./owners.ts";
import { keysOf, numberIn, readSecret, secretRight, type Target } from "./target.ts";

/** How often others may come between before we give the turn back. */
const mostRounds = 8;

export function immutable({ config: { secret, namespace } }: Target): OperatorNeededError {
  return new OperatorNeededError(
    "target_read_only",
    `The Secret ${secret} is immutable: Kubernetes lets nobody change it. Replace it by one that is not (kubectl -n ${namespace} get secret ${secret} -o yaml, take "immutable: true" out, kubectl replace --force -f), then retry.`,
  );
}

export function tooLarge({ config: { secret } }: Target): TransientError {
  return new TransientError(
    "target_full",
    `The Secret ${secret} would hold more than ${largestSecret} bytes, which Kubernetes does not take. Take out what is not needed; nothing was changed.`,
  );
}

/** Two registrations that write one key would overwrite each other for ever. */
export function rivalry(target: Target, secret: SecretObject): OperatorNeededError | undefined {
  const rival = rivalOf(secret, keysOf(target), target.consumer);
  if (rival === undefined) return undefined;
  const { namespace, secret: name } = target.config;
  return new OperatorNeededError(
    "target_refused",
    `Key ${rival.key} is delivered by another consumer of rekey, ${rival.other}. Give one of the two another key. If that one is not registered any more, remove its mark (kubectl -n ${namespace} annotate secret ${name} ${annotationOf(rival.other)}-); then retry.`,
  );
}

function drifted(target: Target, secret: SecretObject, when: string): OperatorNeededError {
  const hands = foreignHands(secret, keysOf(target), target.consumer).join(" ");
  const who =
    hands === "" ? "Find out who writes the Secret" : `${hands} Stop that, or take the keys out of what it writes`;
  return new OperatorNeededError(
    "target_drift",
    `One of our keys was changed by somebody else ${when}. ${who}, and put our value back; then retry, or roll back.`,
  );
}

function refuseLate(target: Target, secret: SecretObject, { number }: Delivery): number {
  const there = numberIn(secret, target);
  const order = there === undefined ? -1 : compareClaims(there, number);
  if (order > 0) throw new PermanentError("claim_outdated", "A later delivery has been at the Secret.");
  return order;
}

/** Only our keys and our mark, and only if the Secret is still the very one that we read. */
function applied({ config, consumer }: Target, { metadata }: SecretObject, ours: Texts, number: Claim): unknown {
  const { uid, resourceVersion } = metadata;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: config.secret,
      namespace: config.namespace,
      uid,
      resourceVersion,
      annotations: { [annotationOf(consumer)]: writtenNumber(number) },
    },
    data: Object.fromEntries(Object.entries(ours).map(([key, text]) => [key, asBase64(text)])),
  };
}

export const patchFor = (target: Target, secret: SecretObject, ours: Texts, number: Claim): Patch => ({
  of: secretRight(target),
  how: "apply",
  fieldManager: managerOf(target.consumer),
  json: applied(target, secret, ours, number),
});

/** One round: the digest when it is done, undefined when somebody came between and it has to start over. */
async function round(target: Target, delivery: Delivery, wanted: Texts): Promise<string | undefined> {
  const { api, config, name, consumer, digestKey } = target;
  const secret = await readSecret(target);
  const order = refuseLate(target, secret, delivery);
  const held = heldIn(secret, config);
  const isHeld = holdsAll(held, wanted, config);
  const digest = digestOf(held, name, digestKey);
  if (isHeld && order === 0 && isUntouched(secret, keysOf(target), consumer)) return digest;
  const rival = rivalry(target, secret);
  if (rival !== undefined) throw rival;
  if (!isHeld) {
    if (delivery.expected !== undefined && delivery.expected !== digest)
      throw drifted(target, secret, "since the last delivery");
    if (secret.immutable === true) throw immutable(target);
  }
  const ours = writtenOver(held, wanted, config);
  if (sizeWith(secret, ours) > largestSecret) throw tooLarge(target);
  api.context.signal.throwIfAborted();
  const done = await patchObject(api, patchFor(target, secret, ours, delivery.number));
  if (done !== "done") return undefined;
  const after = await readSecret(target);
  const later = refuseLate(target, after, delivery);
  const found = heldIn(after, config);
  if (later === 0 && holdsAll(found, wanted, config)) return digestOf(found, name, digestKey);
  throw drifted(target, after, "right after it was written");
}

/** Compare-and-set of our keys by the Secret's resourceVersion. */
export async function deliver(target: Target, delivery: Delivery): Promise<{ readonly digest: string }> {
  const wanted = wantedOf(delivery.value, target.config);
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    target.api.context.signal.throwIfAborted();
    const digest = await round(target, delivery, wanted);
    if (digest !== undefined) return { digest };
  }
  throw new TransientError(
    "target_drift",
    "Somebody else kept changing the Secret while it was being written. It will be tried again.",
  );
}
