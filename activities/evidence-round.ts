import { randomBytes } from "node:crypto";
import { bestWithoutChange, meets, type Strength } from "../domain/evidence.ts";
import { PermanentError } from "../domain/errors.ts";
import type { GuardConsumer, GuardInput, GuardPurpose } from "../domain/guard.ts";
import type { ConsumerCase, RotationCase, VersionCase } from "../ledger/rotation-cases.ts";
import {
  readAdopted,
  readEvidence,
  readSequence,
  recordEvidence,
  type EvidenceRecord,
  type LatestEvidence,
} from "../ledger/evidence-rows.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { readLatestUsage, readWatchedMs, type UsageSample } from "../ledger/usage-samples.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import type { EvidenceAnswer, EvidenceQuestion, EvidenceVersion } from "../providers/contract/evidence.ts";
import type { IssuerDefinition, Usage } from "../providers/contract/issuer.ts";
import { Secret } from "../providers/contract/secret.ts";
import { revealField, type Value } from "../providers/contract/value.ts";
import { latestWindow } from "../providers/evidence/sessions/window.ts";
import { useToJudge } from "./last-use.ts";
import {
  strangersAmong,
  usageOfOthers,
  usersAmong,
  usersInWindow,
  usersSinceAsked,
  withProposals,
  type RoundVersions,
} from "./old-users.ts";
import { atTarget, instancesOf, withConsumer } from "./reach-consumer.ts";
import { registrationGaps } from "./registration-gaps.ts";
import { collectorOf, consumerKindOf, issuerOf, refOf, valueOf } from "./reach.ts";
import { sampleUsage } from "./sample-usage.ts";
import type { StepDeps } from "./step-deps.ts";

export interface RoundQuestion {
  readonly purpose: GuardPurpose;
  /** What everybody must be on. */
  readonly expected: VersionCase;
  /** What is to end; absent when it was never made. */
  readonly unwanted: VersionCase | undefined;
  readonly consumers: readonly ConsumerCase[];
  /** Judges use by everything seen since the step began to ask, not only by the latest window. */
  readonly sinceAsked: boolean;
  /** For so long who uses which version is watched before anybody is asked, where the issuer can be; absent: one look. */
  readonly watchMs?: number;
}

export interface Round {
  readonly input: GuardInput;
  /**
   * Since the first look of this asking. A person is asked for what did not come while somebody looked, not for what
   * nobody saw because no worker ran.
   */
  readonly watchedMs: number;
  /** So long of this very round somebody watched without a break; 0: there was one look. */
  readonly keptWatchMs: number;
}

/**
 * Asks for evidence once: takes a sample of who uses which version, puts the question to every consumer, stores what
 * came back, and returns what the guard decides on. It waits for nothing; a step asks again.
 */
export async function askEvidence(
  deps: StepDeps,
  one: RotationCase,
  question: RoundQuestion,
  context: ProviderContext,
): Promise<Round> {
  const began = await readSequence(deps.ledger.db);
  const definition = issuerOf(deps, one.connection.kind);
  const { uses, keptWatchMs } = await sampleUsage(deps, one, question, context);
  const sampled = await latestSamples(deps, one);
  const versions = await evidenceVersions(deps, one, question, definition);
  const records: EvidenceRecord[] = [];
  for (const consumer of question.consumers) {
    const after = consumer.delivery?.sequence ?? Number.POSITIVE_INFINITY;
    const samples = sampled
      .filter(({ sequence }) => sequence > after)
      .map(({ usage }) => usageOfOthers(deps, one, usage));
    records.push(...(await collectOne(deps, one, consumer, { ...versions, samples }, context)));
  }
  await recordEvidence(deps.ledger, records);
  const evidence = await readEvidence(deps.ledger.db, {
    rotationId: one.rotationId,
    version: question.expected.number,
    afterSequence: 0,
  });
  const adopted = await readAdopted(deps.ledger.db, {
    rotationId: one.rotationId,
    version: question.expected.number,
  });
  const old = question.sinceAsked
    ? await usersSinceAsked(deps, one, versions, adopted)
    : usersInWindow(deps, one, versions, sampled);
  const input: GuardInput = {
    purpose: question.purpose,
    consumers: question.consumers.map((consumer) =>
      asGuardConsumer(deps, one, consumer, evidence.get(consumer.consumerId) ?? [], began),
    ),
    expectedVersion: question.expected.number,
    strangers: await withProposals(deps, one.credentialId, strangersAmong(deps, one, old.sessions)),
    oldSessions: old.atOnce,
    oldUsers: usersAmong(deps, one, old.sessions),
    lastUse: await useToJudge(deps, one, definition.facts, {
      purpose: question.purpose,
      handle: question.unwanted?.handle,
      expected: question.expected.number,
      consumers: question.consumers.map(({ consumerId }) => consumerId),
      uses,
    }),
    // An issuer that could not be asked has failed the step before it came here.
    usageKnown: true,
    windowOpen: true,
    acceptedGaps: await readAcceptedGaps(deps.ledger.db, one.rotationId),
    alsoFound: registrationGaps(one),
  };
  const watchedMs = (await readWatchedMs(deps.ledger.db, one.rotationId)) ?? one.askedForMs;
  return { input, watchedMs, keptWatchMs };
}

/** So many samples are read at first; more only while they do not reach over the time that is observed. */
const samplesAtFirst = 64;

/** As many of the newest samples as the latest window needs, which everybody is judged by. */
async function latestSamples(deps: StepDeps, one: RotationCase): Promise<readonly UsageSample<Usage>[]> {
  for (let atMost = samplesAtFirst; ; atMost *= 4) {
    const found = await readLatestUsage<Usage>(deps.ledger.db, { rotationId: one.rotationId, atMost });
    const usages = found.map(({ usage }) => usage);
    const { samples, reaches } = latestWindow(usages, one.policy.observeForMs);
    // A window that begins inside of what was read would not grow by reading more.
    if (found.length < atMost || reaches || samples.length < found.length) return found;
  }
}

async function evidenceVersions(
  deps: StepDeps,
  one: RotationCase,
  question: RoundQuestion,
  definition: IssuerDefinition,
): Promise<RoundVersions> {
  const { expected, unwanted, purpose } = question;
  const read = async (version: VersionCase) =>
    purpose === "abandon" || version.isUnknown ? deps.custody.get(refOf(one, version)) : valueOf(deps, one, version);
  return {
    expected: asEvidence(definition, expected, await read(expected)),
    unwanted: unwanted?.handle === undefined ? undefined : asEvidence(definition, unwanted, await read(unwanted)),
  };
}

/** A version as a collector is asked about it. */
export function asEvidence(
  { authenticator }: IssuerDefinition,
  version: VersionCase,
  value: Value | undefined,
): EvidenceVersion {
  return {
    version: version.number,
    handle: version.handle ?? "",
    // Where a value is lost the candidate must still be given up: nobody answers with it, sessions are seen all the same.
    authenticator: value === undefined ? answersNobody() : new Secret(revealField(value, authenticator)),
    effectiveAt: version.effectiveAt ?? "",
  };
}

const answersNobody = () => new Secret(randomBytes(32).toString("base64url"));

type Collected = Pick<EvidenceQuestion, "expected" | "unwanted" | "samples">;

async function collectOne(
  deps: StepDeps,
  one: RotationCase,
  consumer: ConsumerCase,
  collected: Collected,
  context: ProviderContext,
): Promise<readonly EvidenceRecord[]> {
  const { rotationId, instance, order, policy } = one;
  const { consumerId } = consumer;
  const base = { rotationId, consumerId, version: collected.expected.version };
  const records: EvidenceRecord[] = [];
  for (const [kind, given] of Object.entries(consumer.collectors)) {
    const definition = collectorOf(deps, kind);
    const config = definition.configSchema.parse(given);
    const { observeForMs } = policy;
    const instances = definition.needsInstances && instancesOf({ deps, one, context }, consumer);
    const asked = { config, instance, consumer: consumerId, order, observeForMs, ...collected };
    const question = instances === undefined ? asked : { ...asked, instances };
    const isOther = definition.needsInstances === true && consumer.delivery?.version !== base.version;
    const answer = isOther ? notDelivered(consumer, base.version) : await definition.collect(question, context);
    records.push({ ...base, source: kind, strength: definition.strength, ...answer });
  }
  const isOnlyTold = consumerKindOf(deps, consumer.kind).isNotice === true && records.length > 0;
  if (wantedOf(deps, one, consumer) === "delivered" && !isOnlyTold)
    records.push({
      ...base,
      source: "target",
      strength: "delivered",
      ...(await readBack(deps, one, consumer, collected, context)),
    });
  return records;
}

/** Instances show that they run on what lies at the target, and that is another version, as after a restore that failed. */
function notDelivered({ target, delivery }: ConsumerCase, version: number): EvidenceAnswer {
  const there = delivery === undefined ? "nothing" : `version ${delivery.version}`;
  const lack = `This rotation brought ${there} to ${target}, so that what runs from there shows nothing of version ${version}.`;
  return { complete: false, instances: 0, lacks: [lack] };
}

/** The weakest evidence: the target still holds what was written. */
async function readBack(
  deps: StepDeps,
  one: RotationCase,
  consumer: ConsumerCase,
  { expected }: Collected,
  context: ProviderContext,
): Promise<Pick<EvidenceRecord, "complete" | "instances" | "lacks">> {
  const version = [one.to, one.from].find((each) => each?.number === expected.version);
  if (version === undefined) throw new PermanentError("internal", "Evidence was asked for a version of another time.");
  if (consumerKindOf(deps, consumer.kind).isNotice)
    return { complete: false, instances: 0, lacks: [onlyTold(consumer)] };
  const seen = await withConsumer({ deps, one, context }, consumer, async (session) =>
    atTarget(consumer, async () => session.observe()),
  );
  const value = await deps.custody.get(refOf(one, version));
  if (value === undefined) {
    const lost = `Whether ${consumer.target} holds version ${expected.version} cannot be said: its value is not in custody.`;
    return { complete: false, instances: 0, lacks: [lost] };
  }
  const complete = seen.holds(value);
  const lacks = complete ? [] : [`${consumer.target} does not hold version ${expected.version} any more.`];
  return { complete, instances: complete ? 1 : 0, lacks };
}

const onlyTold = ({ target }: ConsumerCase): string =>
  `${target} is told of versions and holds none, so that nothing can be read back there. Register evidence of what its consumer runs on.`;

/** What a consumer has to show: its own wish, the policy's, else the best that needs no change to it. */
function wantedOf(deps: Pick<StepDeps, "catalog">, one: RotationCase, consumer: ConsumerCase): Strength {
  const offers = Object.keys(consumer.collectors).flatMap((kind) => deps.catalog.collectors[kind] ?? []);
  return consumer.wanted ?? one.policy.evidence ?? bestWithoutChange(offers);
}

/**
 * The evidence that counts for a consumer: what was collected in this very round, or what a person has acknowledged
 * since the delivery. Complete before incomplete, and of those the strongest.
 */
function asGuardConsumer(
  deps: StepDeps,
  one: RotationCase,
  consumer: ConsumerCase,
  evidence: readonly LatestEvidence[],
  began: number,
): GuardConsumer {
  const fresh = evidence.filter(({ strength, sequence }) => sequence > began || strength === "acknowledged");
  const wanted = wantedOf(deps, one, consumer);
  // One that could show the old version is not outvoted by a weaker one that could not.
  const doubtful = fresh.find(
    ({ strength, complete }) => !complete && strength !== "acknowledged" && meets(strength, wanted),
  );
  const ordered = fresh.toSorted(
    (a, b) => Number(b.complete) - Number(a.complete) || (meets(a.strength, b.strength) ? -1 : 1),
  );
  return {
    consumerId: consumer.consumerId,
    name: consumer.name,
    deliveredAt: consumer.delivery?.sequence,
    evidence: doubtful ?? ordered[0],
    wanted,
    healthy: true,
  };
}
