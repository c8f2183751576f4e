import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError, TransientError } from "../../../domain/errors.ts";
import type { Delivery } from "../../contract/consumer.ts";
import { assertRoom, digestOf, heldIn, holdsAll, textWith, wantedOf } from "./content.ts";
import { describe, moveStage, putVersion, readCurrent, type Content, type Described, type Target } from "./target.ts";
import { current, deliveredStage, isOfRekey, newestNumber, nextStage, numberIn, versionIdFor } from "./version.ts";

/** How often others may come between before we give the turn back. */
const mostRounds = 8;

/** What stands in the way of any write, whoever asks for it. */
export function unwritable(target: Target, described: Described): OperatorNeededError | undefined {
  const { secret } = target.config;
  const { owningService, primaryRegion } = described;
  if (owningService !== undefined)
    return new OperatorNeededError(
      "target_read_only",
      `The secret ${secret} is kept by another service of AWS, which alone may write it. Register a secret of your own.`,
    );
  if (primaryRegion !== undefined && primaryRegion !== target.aws.settings.region)
    return new OperatorNeededError(
      "target_read_only",
      `The secret ${secret} is a replica in this region; it is written in ${primaryRegion}. Register it over a connection to that region.`,
    );
  return undefined;
}

/** Who wrote the current version, where it was nobody of rekey. */
export function foreignHand(content: Content | undefined): string | undefined {
  if (content === undefined || isOfRekey(content.id)) return undefined;
  const since = content.createdAt === undefined ? "" : ` at ${content.createdAt.toISOString()}`;
  return `Version ${content.id.slice(0, 64)} was made current by somebody else${since}; CloudTrail names who called PutSecretValue.`;
}

function drifted(target: Target, content: Content | undefined, when: string): OperatorNeededError {
  const who = foreignHand(content) ?? "Find out who writes the secret.";
  return new OperatorNeededError(
    "target_drift",
    `What rekey keeps in ${target.config.secret} was changed by somebody else ${when}. ${who} Put our value back; then retry, or roll back.`,
  );
}

function refuseLate({ consumer }: Target, { stages }: Described, { number }: Delivery): number {
  const there = newestNumber(stages, consumer);
  const order = there === undefined ? -1 : compareClaims(there, number);
  if (order > 0) throw new PermanentError("claim_outdated", "A later delivery has been at the secret.");
  return order;
}

function assertFollowed({ replicas }: Described): void {
  const behind = replicas.filter(({ isInSync }) => !isInSync).map(({ region }) => region);
  if (behind.length > 0)
    throw new TransientError(
      "target_unreachable",
      `The secret is written, and its replica in ${behind.join(", ")} does not have it yet. It will be looked at again; if that lasts, look at the secret's replication in the console.`,
    );
}

/** Marks our newest version, so that its number is known whoever writes after it. False: somebody came between. */
async function mark(target: Target, { stages }: Described, id: string, number: Claim): Promise<boolean> {
  const stage = deliveredStage(target.consumer);
  const from = stages.get(stage);
  const there = numberIn(from ?? "", target.consumer);
  if (from === id || (there !== undefined && compareClaims(there, number) >= 0)) return true;
  return moveStage(target, { stage, from, to: id });
}

/** One round: the digest when it is done, undefined when somebody came between and it has to start over. */
async function round(target: Target, delivery: Delivery): Promise<string | undefined> {
  const { config, name, consumer, digestKey, aws } = target;
  const wanted = wantedOf(delivery.value, config);
  const described = await describe(target);
  const order = refuseLate(target, described, delivery);
  const content = await readCurrent(target);
  // Between the two looks somebody may have been there.
  if (content?.id !== described.stages.get(current)) return undefined;
  const held = heldIn(content?.text, config);
  const digest = digestOf(held, name, digestKey);
  const isHeld = holdsAll(held, wanted, config);
  if (isHeld && order === 0) {
    const ours = content !== undefined && numberIn(content.id, consumer) !== undefined ? content.id : undefined;
    if (ours !== undefined && !(await mark(target, described, ours, delivery.number))) return undefined;
    assertFollowed(described);
    return digest;
  }
  const isDrift = delivery.expected !== undefined && delivery.expected !== digest;
  if (!isHeld && isDrift) throw drifted(target, content, "since the last delivery");
  const obstacle = unwritable(target, described);
  if (obstacle !== undefined) throw obstacle;
  const text = textWith(content?.text, wanted, config);
  assertRoom(text, config);
  aws.context.signal.throwIfAborted();
  const id = versionIdFor(consumer, delivery.number, content?.id);
  await putVersion(target, { id, text, stage: nextStage(consumer) });
  // The first version of a secret is current at once, whatever is asked for.
  const isFirst = described.stages.size === 0;
  const moved = await moveStage(target, { stage: current, from: content?.id, to: id });
  if (!moved && !isFirst) return undefined;
  return readBack(target, delivery, id);
}

/** What is there after the write is what was wanted, or somebody has been there since. */
async function readBack(target: Target, delivery: Delivery, id: string): Promise<string> {
  const { config, name, digestKey } = target;
  const after = await describe(target);
  const order = refuseLate(target, after, delivery);
  const content = await readCurrent(target);
  const found = heldIn(content?.text, config);
  if (order !== 0 || !holdsAll(found, wantedOf(delivery.value, config), config))
    throw drifted(target, content, "right after it was written");
  // Where it fails, the version itself still tells the number until others have written twice.
  await mark(target, after, id, delivery.number);
  assertFollowed(after);
  return digestOf(found, name, digestKey);
}

/**
 * Compare-and-set: a version is written under a stage of ours, then AWSCURRENT moved from the very version that was read.
 * Without naming that one, a delivery that comes late would put an old value over a new one.
 */
export async function deliver(target: Target, delivery: Delivery): Promise<{ readonly digest: string }> {
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    target.aws.context.signal.throwIfAborted();
    const digest = await round(target, delivery);
    if (digest !== undefined) return { digest };
  }
  throw new TransientError(
    "target_drift",
    "Somebody else kept changing the secret while it was being written. It will be tried again.",
  );
}
