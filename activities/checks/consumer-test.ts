import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { versionRef } from "../../custody/refs.ts";
import { codes, OperatorNeededError, RekeyError } from "../../domain/errors.ts";
import { printable } from "../../domain/printable.ts";
import { readTestedConsumer, type TestedConsumer } from "../../ledger/consumer-cases.ts";
import type { ConsumerCase, VersionCase } from "../../ledger/rotation-cases.ts";
import type { ConsumerSession } from "../../providers/contract/consumer.ts";
import type { ProviderContext } from "../../providers/contract/context.ts";
import type { EvidenceQuestion } from "../../providers/contract/evidence.ts";
import type { Usage } from "../../providers/contract/issuer.ts";
import { Secret } from "../../providers/contract/secret.ts";
import type { Value } from "../../providers/contract/value.ts";
import { neverWritten } from "../look-outside.ts";
import { isAsRecorded } from "../deliver-to.ts";
import { asEvidence } from "../evidence-round.ts";
import { noteStrangers, strangersAmong } from "../old-users.ts";
import { instancesOf, withConsumer } from "../reach-consumer.ts";
import { collectorOf, consumerKindOf, issuerOf, withIssuer } from "../reach.ts";
import type { CheckWork } from "../run-check.ts";
import type { StepDeps } from "../step-deps.ts";

/** One thing that was tried. */
interface Part {
  readonly part: string;
  /** `warn`: a rotation would ask about it. `left-out`: it could not be tried, and that is nobody's fault. */
  readonly state: "ok" | "warn" | "not" | "left-out";
  /** Sentences for an operator. */
  readonly text: string;
}

interface Scene {
  readonly deps: StepDeps;
  readonly context: ProviderContext;
  readonly tested: TestedConsumer;
  readonly consumer: ConsumerCase;
  /** Who asks may not hear of anybody else. */
  readonly isOnlyOwn: boolean;
  readonly current?: { readonly version: VersionCase & { readonly handle: string }; readonly value: Value } | undefined;
}

/** Tries all that a rotation will ask of a consumer, against the version that it should run on today. Changes nothing. */
export const consumerTest: CheckWork = async ({ deps, check, context }) => {
  const tested = await readTestedConsumer(deps.ledger.db, check.subjectId ?? "");
  const consumer = tested?.consumers.find(({ consumerId }) => consumerId === check.subjectId);
  if (tested === undefined || consumer === undefined)
    throw new OperatorNeededError("not_found", "The consumer is registered no more.");
  const current = await currentOf(deps, tested);
  const scene: Scene = { deps, context, tested, consumer, isOnlyOwn: check.arguments["onlyOwn"] === true, current };
  const parts = await deps.scrubber.withHeld(current === undefined ? [] : [current.value], async () => [
    ...(await targetParts(scene)),
    ...(await evidenceParts(scene)),
  ]);
  return { ok: parts.every(({ state }) => state !== "not"), findings: [], result: { parts } };
};

async function currentOf(deps: StepDeps, tested: TestedConsumer): Promise<Scene["current"]> {
  const { instance, credentialId, connection, current } = tested;
  if (current?.handle === undefined) return undefined;
  const { versionId, number, handle } = current;
  const value = await deps.custody.get(
    versionRef({ instance, credentialId, number, versionId, pool: connection.pool }),
  );
  return value === undefined ? undefined : { version: { ...current, handle }, value };
}

type Said = Omit<Part, "part">;

/** What fails is said of its part, and the others are tried all the same. */
async function tried(part: string, work: () => Promise<Said>, isOthers = false): Promise<Part> {
  try {
    return { part, ...(await work()) };
  } catch (error) {
    if (!(error instanceof RekeyError)) throw error;
    // Where the issuer is and what its connection may do is for who owns the credential.
    if (isOthers) return { part, state: "left-out", text: `${codes[error.code]}: the credential's owner sees more.` };
    return { part, state: "not", text: `${codes[error.code]}: ${error.detail}` };
  }
}

async function targetParts(scene: Scene): Promise<readonly Part[]> {
  const { consumer, current } = scene;
  const parts: Part[] = [];
  const opened = await tried("target", async () =>
    withConsumer(reached(scene), consumer, async (session) => {
      const findings = await session.preflight(current === undefined ? [] : [current.value]);
      parts.push(await tried("content", async () => contentOf(scene, session)));
      parts.push(await tried("delivery", async () => rehearsed(scene, session)));
      return findings.length === 0
        ? { state: "ok", text: "Nothing stands in the way of a delivery." }
        : { state: "not", text: findings.map(({ code, detail }) => `${codes[code]}: ${detail}`).join(" ") };
    }),
  );
  return [opened, ...parts];
}

const reached = ({ deps, context, tested }: Scene) => ({ deps, context, one: { instance: tested.instance } });

async function rehearsed({ deps, tested, consumer }: Scene, session: ConsumerSession): Promise<Said> {
  if (session.rehearse === undefined)
    return { state: "left-out", text: "This kind has no way to try a delivery that leaves the target alone." };
  const kind = consumerKindOf(deps, consumer.kind);
  const fields = kind.fieldsOf(kind.configSchema.parse(consumer.config));
  return { state: "ok", text: await session.rehearse(madeUp(deps, tested, fields)) };
}

/** A value like the issuer's that opens nothing. */
function madeUp(deps: StepDeps, { connection }: TestedConsumer, fields: readonly string[]): Value {
  const declared = issuerOf(deps, connection.kind).fields;
  const text = () => `rehearsal-${randomBytes(24).toString("base64url")}`;
  return Object.fromEntries(
    fields.map((name) => [name, declared[name]?.secret === true ? new Secret(text()) : text()]),
  );
}

async function contentOf(scene: Scene, session: ConsumerSession): Promise<Said> {
  const { consumer, current } = scene;
  const { target, heldVersion } = consumer;
  if (consumerKindOf(scene.deps, consumer.kind).isNotice)
    return { state: "left-out", text: `${target} is told of versions and holds none.` };
  const seen = await session.observe();
  if (seen.isEmpty)
    return heldVersion === undefined
      ? { state: "warn", text: neverWritten(target) }
      : { state: "not", text: `${target} holds nothing, although version ${heldVersion} was delivered. Put it back.` };
  if (current !== undefined && seen.holds(current.value))
    return { state: "ok", text: `${target} holds version ${current.version.number}, the current one.` };
  if (await isAsRecorded(reached(scene), consumer, seen))
    return { state: "ok", text: `${target} holds version ${heldVersion ?? "?"}, as it was delivered.` };
  return {
    state: "not",
    text: `${target} holds a value that rekey did not put there, so that a rotation would hold. ${current === undefined ? "Adopt the credential first, with the value that it has today." : `Put version ${current.version.number} back there by hand.`}`,
  };
}

async function evidenceParts(scene: Scene): Promise<readonly Part[]> {
  const { deps, context, consumer, tested, isOnlyOwn, current } = scene;
  const kinds = Object.keys(consumer.collectors);
  if (current === undefined) {
    const text = `The credential has no version whose value rekey knows: rekey credential adopt ${tested.credentialName}`;
    return [...kinds, "sessions seen"].map((part) => ({ part, state: "left-out", text }));
  }
  const { version, value } = current;
  const samples: Usage[] = [];
  const look = async () =>
    withIssuer(deps, tested, context, async (session): Promise<Said> => {
      if (session.usage === undefined)
        return { state: "left-out", text: "The issuer does not show who uses a version." };
      samples.push(await session.usage([version.handle]));
      await pause(betweenSamplesMs, undefined, { signal: context.signal });
      const last = await session.usage([version.handle]);
      samples.push(last);
      await noteStrangers(deps, tested, last);
      return sessionsSeen(scene, samples, version.handle);
    });
  const seen = await tried("sessions seen", look, isOnlyOwn);
  const expected = asEvidence(issuerOf(deps, tested.connection.kind), version, value);
  const { instance, order } = tested;
  const question = { instance, consumer: consumer.consumerId, order, expected, samples, observeForMs: 0 };
  const asked: Part[] = [];
  for (const kind of kinds) asked.push(await tried(kind, async () => askOne(scene, kind, question)));
  return [...asked, seen];
}

/** Two looks, since one alone is no evidence by sessions. */
const betweenSamplesMs = 500;

async function askOne(scene: Scene, kind: string, question: Omit<EvidenceQuestion, "config">): Promise<Said> {
  const { deps, context, consumer } = scene;
  const definition = collectorOf(deps, kind);
  // Instances are known by what a delivery started: before the first one none can show anything.
  if (definition.needsInstances && consumer.heldVersion === undefined)
    return { state: "left-out", text: "Nothing was delivered yet: the first rotation starts the instances anew." };
  const config = definition.configSchema.parse(consumer.collectors[kind]);
  const running = definition.needsInstances && instancesOf(reached(scene), consumer);
  const asked = { ...question, config, ...(running === undefined ? {} : { instances: running }) };
  const { complete, instances, lacks } = await definition.collect(asked, context);
  const { version } = question.expected;
  if (complete)
    return { state: "ok", text: `${definition.strength}: ${instances} of its instances on version ${version}.` };
  return {
    state: "not",
    text: `${lacks.join(" ")} Start or correct what is named, or correct evidence.${kind} in its manifest.`,
  };
}

const mostShown = 5;

function sessionsSeen({ deps, tested, consumer, isOnlyOwn }: Scene, samples: readonly Usage[], handle: string): Said {
  const sessions = samples.at(-1)?.sessions[handle] ?? [];
  const own = sessions.length - strangersAmong(deps, { consumers: [consumer] }, sessions).length;
  if (isOnlyOwn) return { state: "ok", text: `Open on the current version now, this consumer's: ${own}.` };
  const strangers = strangersAmong(deps, tested, sessions);
  const counted = `Open on the current version now: ${sessions.length}, of them this consumer's: ${own}, nobody's: ${strangers.length}.`;
  if (strangers.length === 0) return { state: "ok", text: counted };
  const names = strangers.map(
    ({ principal, address, applicationName }) =>
      `${printable(principal)} from ${printable(address)} (application "${printable(applicationName)}")`,
  );
  const all = [...new Set(names)];
  const more = all.length > mostShown ? ` and ${all.length - mostShown} more` : "";
  const said = `${counted} Nobody's: ${all.slice(0, mostShown).join(", ")}${more}. A rotation holds for each that stays on the old version:`;
  const telling = Object.values(deps.catalog.collectors)
    .filter((one) => one.explains !== undefined)
    .map(({ kind }) => kind);
  // Without such evidence nothing tells its own sessions from a stranger's.
  return telling.some((kind) => kind in consumer.collectors)
    ? { state: "not", text: `${said} register it as a consumer, or end it.` }
    : {
        state: "left-out",
        text: `${said} say by evidence.${telling.join(" or ")} in its manifest which are this consumer's, register the others, or end them.`,
      };
}
