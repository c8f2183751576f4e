import type { Code } from "./errors.ts";
import { meets, type Strength } from "./evidence.ts";
import { printable } from "./printable.ts";

export type GuardPurpose = "revoke" | "abandon";

export interface GuardEvidence {
  readonly strength: Strength;
  /** Ledger sequence at which it was recorded. */
  readonly sequence: number;
  /** Each instance gave it and none gave the old version. */
  readonly complete: boolean;
  /** The number of the version that it shows. */
  readonly handleVersion: number;
  /** What was missing, a sentence each, in the collector's words. */
  readonly lacks?: readonly string[];
}

export interface GuardConsumer {
  readonly consumerId: string;
  readonly name: string;
  /** Ledger sequence of the last delivery; absent when nothing was delivered to it. */
  readonly deliveredAt?: number | undefined;
  readonly evidence?: GuardEvidence | undefined;
  readonly wanted: Strength;
  readonly healthy: boolean;
}

/** Somebody on the version that is to end whom no registered consumer explains. */
export interface Stranger {
  readonly principal: string;
  readonly address: string;
  /** Chosen by the client, so it may hold anything. It reveals, it never excuses. */
  readonly applicationName: string;
  /** The id of the proposal to register it. */
  readonly proposal?: string | undefined;
}

/** When the version that is to end was last used, of an issuer that tells that alone. */
export interface GuardUse {
  /** By the issuer's clock, for people. */
  readonly at: string;
  readonly by: string;
  readonly agoMs: number;
  /** Since the last consumer had moved. */
  readonly movedAgoMs: number;
  /** The use may have been so much earlier. */
  readonly grainMs: number;
  readonly lateByMs: number;
}

export interface GuardInput {
  /** `abandon` ends the candidate during undo: the mirror of `revoke`. */
  readonly purpose: GuardPurpose;
  /** `revoke`: all pinned and all registered since. `abandon`: those that may hold the candidate. */
  readonly consumers: readonly GuardConsumer[];
  /** The version that everybody must be on: the new one for `revoke`, the previous one for `abandon`. */
  readonly expectedVersion: number;
  readonly strangers: readonly Stranger[];
  /** Sessions on the version that is to end. */
  readonly oldSessions: number;
  /** Names of the registered consumers that those sessions match. */
  readonly oldUsers?: readonly string[];
  readonly lastUse?: GuardUse | undefined;
  /** False when the issuer declares a usage signal and it could not be read; true when it declares none. */
  readonly usageKnown: boolean;
  readonly windowOpen: boolean;
  /** Gaps found elsewhere: a consumer removed or changed while the rotation runs. */
  readonly alsoFound?: readonly Gap[];
  /** Keys of gaps that a person accepted by name. */
  readonly acceptedGaps: readonly string[];
}

export interface Gap {
  readonly code: Code;
  /** The same for the same gap in each verdict, so that a decision can name it. */
  readonly key: string;
  readonly text: string;
  /** Whose it is, so that a person knows whom to ask; absent when it is no consumer's. */
  readonly consumerId?: string | undefined;
}

export interface GuardVerdict {
  readonly clear: boolean;
  /** What stands in the way and nobody has accepted. */
  readonly gaps: readonly Gap[];
  /** What was found and goes ahead by a person's decision: the record of whom it may break. */
  readonly accepted: readonly Gap[];
  /** The window is shut. No gap, because nobody is asked: it opens by itself. */
  readonly awaitsWindow: boolean;
}

/** Decides whether a version may be ended. It is clear only without any gap and with the window open. */
export function guardVerdict(input: GuardInput): GuardVerdict {
  const found = [
    // An undo that touched nobody has nobody to ask, and that is no gap.
    ...(input.consumers.length === 0 && input.purpose === "revoke" ? [noConsumers] : []),
    ...input.consumers.flatMap((consumer) => consumerGaps(consumer, input.expectedVersion)),
    ...(input.alsoFound ?? []),
    ...input.strangers.map(strangerGap),
    ...usageGaps(input),
  ];
  const unique = found.filter((gap, at) => found.findIndex((other) => other.key === gap.key) === at);
  const gaps = unique.filter((gap) => !input.acceptedGaps.includes(gap.key));
  const accepted = unique.filter((gap) => input.acceptedGaps.includes(gap.key));
  return {
    clear: gaps.length === 0 && input.windowOpen,
    gaps,
    accepted,
    awaitsWindow: !input.windowOpen,
  };
}

const noConsumers: Gap = {
  code: "no_consumers",
  key: "no_consumers",
  text: "No consumer is registered, or each is suspected (rekey consumer release, for one that is not the leak), so that nobody can show who uses the version. Register one, or accept that it may break someone unknown.",
};

function consumerGaps(consumer: GuardConsumer, expectedVersion: number): Gap[] {
  const gaps: Gap[] = [];
  const lack = evidenceLack(consumer, expectedVersion);
  if (lack !== undefined) {
    gaps.push({
      code: "evidence_missing",
      key: `evidence_missing:${consumer.consumerId}`,
      text: `Consumer ${consumer.name}: ${lack}`,
      consumerId: consumer.consumerId,
    });
  }
  if (!consumer.healthy) {
    gaps.push({
      code: "consumer_unhealthy",
      key: `consumer_unhealthy:${consumer.consumerId}`,
      text: `Consumer ${consumer.name} is not healthy. Look at it before the version is ended.`,
      consumerId: consumer.consumerId,
    });
  }
  return gaps;
}

/** Why a consumer's evidence does not suffice; undefined when it does. */
function evidenceLack(consumer: GuardConsumer, expectedVersion: number): string | undefined {
  const { deliveredAt, evidence, wanted } = consumer;
  if (deliveredAt === undefined) return `version ${expectedVersion} was never delivered to it.`;
  if (evidence === undefined) return `no evidence yet; its policy asks for ${wanted}.`;
  if (evidence.handleVersion !== expectedVersion) {
    return `the evidence shows version ${evidence.handleVersion}, not version ${expectedVersion}.`;
  }
  // The same number would mean evidence that was read before the delivery was recorded.
  if (evidence.sequence <= deliveredAt) return "the evidence is older than its last delivery.";
  if (!evidence.complete) return incomplete(evidence);
  if (!meets(evidence.strength, wanted)) return `the evidence is ${evidence.strength}; its policy asks for ${wanted}.`;
  return undefined;
}

function incomplete({ lacks = [] }: GuardEvidence): string {
  return lacks.length === 0 ? "not every instance has shown the version, or one showed another." : lacks.join(" ");
}

function strangerGap({ principal, address, applicationName, proposal }: Stranger): Gap {
  const key = [principal, address, applicationName].map((part) => encodeURIComponent(part.toWellFormed())).join("/");
  return {
    code: "stranger_seen",
    key: `stranger_seen:${key}`,
    text: `${printable(principal)} from ${printable(address)} (application "${printable(applicationName)}") is no registered consumer. Register it or end it${proposal === undefined ? "." : `: rekey consumer proposals show ${proposal}`}`,
  };
}

const inUse = (purpose: GuardPurpose): Code => (purpose === "revoke" ? "still_in_use" : "candidate_in_use");

/** The key of the gap that a last use is: one for each way, since an issuer tells of no more than the latest. */
export const lastUseGap = (purpose: GuardPurpose): string => `${inUse(purpose)}:last-use`;

/** Certain only beyond the grain: a use that may have been before everybody had moved stands in nobody's way. */
const isAfterMove = ({ agoMs, movedAgoMs, grainMs }: GuardUse): boolean => !(agoMs + grainMs >= movedAgoMs);

function useText({ at, by, grainMs, lateByMs }: GuardUse, version: string): string {
  const lateMinutes = Math.ceil((2 * grainMs + lateByMs) / 60_000);
  return `The ${version} was last used at ${printable(at)} by ${printable(by)}, after every consumer had moved. Find out who that is, move it, and see that the time stays as it is: the issuer tells of a use up to ${lateMinutes} min later. Then retry.`;
}

function usageGaps({ purpose, oldSessions, oldUsers = [], lastUse, usageKnown }: GuardInput): Gap[] {
  const code = inUse(purpose);
  const version = purpose === "revoke" ? "old version" : "candidate";
  const gaps: Gap[] = [];
  if (oldSessions !== 0) {
    gaps.push({
      code,
      key: `${code}:sessions`,
      text: `Sessions open on the ${version}: ${oldSessions}.${oldUsers.length === 0 ? "" : ` Some match consumer ${oldUsers.join(", ")}.`}`,
    });
  }
  if (lastUse !== undefined && isAfterMove(lastUse))
    gaps.push({ code, key: lastUseGap(purpose), text: useText(lastUse, version) });
  if (!usageKnown) {
    gaps.push({
      code,
      key: `${code}:unknown`,
      text: `The issuer could not say whether the ${version} is in use. Retry when it can.`,
    });
  }
  return gaps;
}
