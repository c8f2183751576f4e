import type { EvidenceAnswer, EvidenceDefinition, EvidenceQuestion, EvidenceVersion } from "../../contract/evidence.ts";
import type { SeenSession, Usage } from "../../contract/issuer.ts";
import { plainAddress } from "../../contract/networks.ts";
import { isOneSlot } from "../../../domain/order.ts";
import { printable } from "../../../domain/printable.ts";
import { matchesSession, matchOf, sessionsConfigSchema, type SessionsConfig } from "./match.ts";
import { mayBeOnUnwanted } from "./one-slot.ts";
import { latestWindow } from "./window.ts";

type Question = EvidenceQuestion<SessionsConfig>;

/** The issuer shows the consumer's sessions on the expected login and nobody's on the one that must go. */
export const sessions: EvidenceDefinition<SessionsConfig> = {
  kind: "sessions",
  title: "Live sessions at the issuer",
  strength: "observed",
  needsChange: false,
  configSchema: sessionsConfigSchema,
  example: { database: "orders", networks: ["10.1.0.0/16"], instances: 1 },
  collect: async (question) => judgeSamples(question),
  explains: matchesSession,
  match: matchOf,
};

/** Pure: the samples alone decide. */
export function judgeSamples(question: Question): EvidenceAnswer {
  const { config, expected, unwanted, observeForMs } = question;
  const window = latestWindow(question.samples, observeForMs);
  const lacks: string[] = [];
  if (!window.reaches)
    lacks.push(
      `Sessions have been watched for ${seconds(window.spanMs)} in ${window.samples.length} samples; needed: ${seconds(observeForMs)} and two.`,
    );
  if (unwanted !== undefined) lacks.push(...lingering(question, unwanted, window.samples));

  const seen = new Set(
    window.samples
      .flatMap((sample) => sessionsOn(question, expected, sample) ?? [])
      .filter((session) => matchesSession(config, session))
      .map(addressOf),
  );
  if (seen.size < config.instances) {
    const where = seen.size === 0 ? "" : ` (${enumerate([...seen])})`;
    lacks.push(`Seen on version ${expected.version}: ${seen.size} of ${config.instances} instances${where}.`);
  }
  return { complete: lacks.length === 0, instances: seen.size, lacks };
}

/** A sentence for each address that was on the unwanted version, whoever it is: a match excuses nobody here. */
function lingering(question: Question, unwanted: EvidenceVersion, samples: readonly Usage[]): string[] {
  const lastSeen = new Map<string, { at: string; now: boolean; session: SeenSession }>();
  for (const [index, sample] of samples.entries()) {
    const found = sessionsOn(question, unwanted, sample);
    // A sample that does not speak of the version is no sign that nobody uses it.
    if (found === undefined)
      return [`The issuer's usage at ${printable(sample.at)} does not cover version ${unwanted.version}.`];
    for (const session of found)
      lastSeen.set(addressOf(session), { at: sample.at, now: index === samples.length - 1, session });
  }
  const sentences = [...lastSeen].map(([address, { at, now, session }]) => {
    const who = `Address ${address} (application "${printable(session.applicationName)}")`;
    return now
      ? `${who} is still on version ${unwanted.version}.`
      : `${who} was on version ${unwanted.version} at ${printable(at)}, within the time that must be free of it.`;
  });
  const shown = sentences.slice(0, 5);
  const rest = sentences.length - shown.length;
  return rest === 0 ? shown : [...shown, `And so with ${rest} more addresses.`];
}

/**
 * The sessions of one version in one sample; undefined when the sample does not cover it. In a single slot both versions
 * are one login, and a session is on the expected one only if it began while that was in force.
 */
function sessionsOn(question: Question, version: EvidenceVersion, sample: Usage): readonly SeenSession[] | undefined {
  const found = Object.hasOwn(sample.sessions, version.handle) ? sample.sessions[version.handle] : undefined;
  if (!isOneSlot(question.order) || found === undefined) return found;
  const { expected, unwanted } = question;
  const isUnwanted = version.version !== expected.version;
  return found.filter((session) => mayBeOnUnwanted(session, expected, unwanted) === isUnwanted);
}

function addressOf({ address }: SeenSession): string {
  return plainAddress(address)?.text ?? printable(address);
}

function enumerate(addresses: readonly string[]): string {
  const shown = addresses.slice(0, 5).join(", ");
  return addresses.length > 5 ? `${shown} and ${addresses.length - 5} more` : shown;
}

function seconds(milliseconds: number): string {
  return `${Math.floor(milliseconds / 100) / 10} s`;
}
