import { usage } from "./cli-error.ts";
import type { Wish } from "./declare-many.ts";
import { carryOut, demandOf, reasonOf, type EmergencyOptions } from "./emergency.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { compare, nothingGiven } from "./leak.ts";
import { resultLines, summaryLines } from "./leak-lines.ts";
import { isMissed, isOpen, type LeakResult } from "./leak-results.ts";
import { readSuspectInput, suspectLines } from "./leaked-input.ts";

type Version = LeakResult["versions"][number];

/**
 * `rekey rotate --emergency --leaked`: what stands on standard input says which versions of which credentials. Each gets
 * an emergency of exactly those. What is ours and cannot be ended this way is told with what ends it.
 */
export async function rotateLeaked(
  io: Io,
  credential: string | undefined,
  options: EmergencyOptions,
): Promise<ExitCode> {
  const { selector, version, timeout } = options;
  if (credential !== undefined || selector !== undefined || version !== undefined)
    throw usage(
      "Nothing was done",
      "With --leaked the values on standard input say what is rotated: name no credential, labels or version. If a value stands in the command, count it as leaked: it is in your shell's history.",
    );
  const reason = reasonOf(options);
  const demand = demandOf(options);
  const client = await io.client();
  const suspects = suspectLines(await readSuspectInput());
  if (suspects.length === 0) throw nothingGiven('rekey rotate --emergency --leaked --reason "…" < FILE');
  const { results, notCompared } = await compare(io, client, suspects, timeout);
  const left = results.filter((one) => one.state !== "known" || !one.versions.every(isEnded) || hasMore(one));
  const code = codeOf(left);
  const found = Map.groupBy(
    results.flatMap(({ versions }) => versions.filter(canEnd)),
    ({ credentialId }) => credentialId,
  );
  const said = [...resultLines(left), ...summaryLines(results, notCompared)];
  if (found.size === 0) {
    io.give({ affected: [], results: left, notCompared });
    io.say(...said, "Nothing was done: none of it is a version that is alive.");
    return code;
  }
  io.say(...said, "");
  const wishes = [...found].map(([credentialId, some]): Wish => {
    const versions = [...new Set(some.map(({ version: number }) => number))].toSorted((a, b) => a - b);
    const called = some[0]?.credential ?? credentialId;
    return { which: { credentials: [credentialId] }, demand: { ...demand, versions }, called };
  });
  const done = await carryOut(io, client, wishes, { ...options, reason });
  return done === exitCodes.done ? code : done;
}

/** What an emergency ends. What the issuer calls it is no secret: that somebody wrote it somewhere is no leak. */
const canEnd = ({ by, life, command }: Version): boolean => by === "value" && life !== "dead" && command !== null;

/** Nothing is left to be said of it once the emergency is declared. */
const isEnded = (version: Version): boolean => canEnd(version) || version.life === "dead";

/** Secrets of rekey itself. */
const hasMore = ({ connections, tokens }: LeakResult): boolean => connections.length > 0 || tokens.length > 0;

function codeOf(left: readonly LeakResult[]): ExitCode {
  if (left.some((one) => isOpen({ ...one, versions: one.versions.filter((version) => !canEnd(version)) })))
    return exitCodes.person;
  if (left.some(({ state }) => state === "no-time")) return exitCodes.timeOut;
  return left.some(isMissed) ? exitCodes.failed : exitCodes.done;
}
