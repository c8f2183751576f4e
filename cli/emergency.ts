import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Client } from "../api/client.ts";
import { CliError, usage } from "./cli-error.ts";
import { declareAll, missedLines, previewAll, type Affected, type Demand, type Wish } from "./declare-many.ts";
import { aboutEmergency, sayTrouble, standsAt } from "./emergency-lines.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { holdLines } from "./hold-lines.ts";
import type { Io } from "./io.ts";
import { confirm } from "./read-input.ts";
import { clock, span } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap } from "./wrap.ts";

export interface EmergencyOptions {
  readonly emergency?: boolean;
  readonly reason?: string;
  readonly version?: readonly number[];
  readonly contain?: boolean;
  readonly continuity?: boolean;
  readonly deadline?: number;
  readonly atDeadline?: "contain" | "hold";
  readonly whenFull?: "end-older" | "in-place" | "hold";
  readonly suspect?: readonly string[];
  readonly selector?: string;
  readonly leaked?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly timeout?: number;
}

/** `rekey rotate … --emergency`: says what it does and who breaks, asks where many are meant, and does exactly that. */
export async function rotateNow(io: Io, credential: string | undefined, options: EmergencyOptions): Promise<ExitCode> {
  const { selector } = options;
  if ((credential === undefined) === (selector === undefined))
    throw usage(
      "Nothing was done",
      "Name one credential, or choose several by their labels: -l team=shop,environment=production; or send what has leaked on standard input: --leaked < FILE",
    );
  const reason = reasonOf(options);
  const which = credential === undefined ? { labels: selector ?? "" } : { credentials: [credential] };
  const wish = { which, demand: demandOf(options), called: credential ?? selector ?? "" };
  return carryOut(io, await io.client(), [wish], { ...options, reason });
}

export function reasonOf({ reason }: EmergencyOptions): string {
  if (reason !== undefined && reason.trim() !== "") return reason;
  throw usage("Nothing was done", 'Say what has leaked, for the record: --reason "key found in a public repository"');
}

/** Previews all of it before anything is declared. */
export async function carryOut(
  io: Io,
  client: Client,
  wishes: readonly Wish[],
  options: EmergencyOptions & { readonly reason: string },
): Promise<ExitCode> {
  const { reason } = options;
  const { plans, missed: unseen } = await previewAll(client, wishes, reason);
  const all = plans.flatMap(({ affected }) => affected);
  const alive = all.filter(({ how }) => how !== "dead");
  if (alive.length === 0) {
    io.give({ affected: all, ...(unseen.length === 0 ? {} : { missed: unseen }) });
    io.say(...all.flatMap(deadLines), ...missedLines(unseen, "NOT DECLARED"));
    if (unseen.length > 0) return exitCodes.failed;
    return all.some(({ unproven, revived }) => unproven.length + revived.length > 0)
      ? exitCodes.person
      : exitCodes.done;
  }
  io.say(...all.flatMap(previewLines), ...missedLines(unseen, "Not among them"), "");
  await agree(io, alive.length, options);
  const { declared, missed: undone } = await declareAll(client, plans, { reason, signal: io.signal }, (some) =>
    io.say(...some.flatMap(doneLines)),
  );
  const missed = [...unseen, ...undone];
  if (options.wait !== true || missed.length > 0)
    io.give({ affected: declared, ...(missed.length === 0 ? {} : { missed }) });
  io.say(...missedLines(missed, "NOT DECLARED"));
  io.signal.throwIfAborted();
  if (options.wait === true)
    io.say("Waiting until it is proven dead. Ctrl-C ends the waiting only; the emergency goes on.");
  const code = options.wait === true ? await waitUntilDead(io, client, declared, options.timeout) : exitCodes.done;
  if (missed.length === 0 || code !== exitCodes.done) return code;
  if (options.wait === true) io.say(`${missed.length} more were NOT DECLARED: they are named above.`);
  return exitCodes.failed;
}

export function demandOf(options: EmergencyOptions): Demand {
  const { version, contain, continuity, deadline, atDeadline, whenFull, suspect } = options;
  if (contain === true && continuity === true)
    throw usage("Nothing was done", "--contain ends the leaked version first, --continuity last: choose one.");
  if (contain === true && atDeadline !== undefined)
    throw usage(
      "Nothing was done",
      "--at-deadline says what becomes of consumers that have not moved, and --contain waits for none: leave one of them out.",
    );
  return {
    ...(version === undefined ? {} : { versions: [...version] }),
    ...(contain === true ? { contain } : continuity === true ? { contain: false } : {}),
    ...(deadline === undefined ? {} : { deadlineMs: deadline }),
    ...(atDeadline === undefined ? {} : { atDeadline }),
    ...(whenFull === undefined ? {} : { whenFull }),
    suspects: [...(suspect ?? [])],
  };
}

async function agree(io: Io, count: number, { selector, leaked, yes }: EmergencyOptions): Promise<void> {
  if ((selector === undefined && leaked !== true) || yes === true) return;
  const question = `Rotate ${count === 1 ? "this one" : `these ${count}`} as an emergency?`;
  if (process.stdin.isTTY && !io.isJson && (await confirm(question))) return;
  throw usage("Nothing was done", "Look at the list; add --yes to do it without being asked.");
}

const numbers = (versions: readonly number[]): string =>
  `version${versions.length === 1 ? "" : "s"} ${versions.join(", ")}`;

/** Why nothing is to be done about versions that were named. */
function idleLines({ dead: died, revived, unproven, unmade }: Affected): readonly string[] {
  const dead = died.filter((number) => !revived.includes(number));
  const are = (list: readonly number[]) => `${numbers(list)} ${list.length === 1 ? "is" : "are"}`;
  return [
    ...(dead.length === 0 ? [] : [`${are(dead)} dead already, and was seen refused`]),
    ...(revived.length === 0
      ? []
      : [
          `${numbers(revived)} died and CAN LOG IN AGAIN: somebody has brought it back at its issuer. Take it away there by hand; rekey ends nothing of what is dead already`,
        ]),
    ...(unproven.length === 0
      ? []
      : [`${are(unproven)} ended WITHOUT PROOF, by a person's decision: look at its issuer yourself`]),
    ...(unmade.length === 0 ? [] : [`${are(unmade)} not made`]),
  ];
}

function deadLines(one: Affected): readonly string[] {
  const found = idleLines(one);
  const text = found.length === 0 ? "no version is alive" : found.join("; ");
  return wrap(`${one.credential}: ${text}. Its versions: rekey credential show ${one.credential}`, "");
}

/** What it means for the rotation that runs, if one does. */
const meanings: Readonly<Record<Affected["how"], (one: Affected) => string>> = {
  reserved: () => "A rotation begins at once.",
  join: ({ rotationId }) =>
    `Rotation ${rotationId} runs urgently already and makes the clean version: it carries this too.`,
  upgrade: ({ rotationId }) => `Rotation ${rotationId}, which runs, becomes urgent: its new version has not leaked.`,
  "turn-forward": ({ rotationId }) =>
    `Rotation ${rotationId}, which is being undone, turns forward again: its new version is clean.`,
  successor: ({ rotationId }) =>
    `Rotation ${rotationId}, which runs, made a version that has leaked too, or is past use: it ends, and its end begins the next one.`,
  met: () => "All of it is dead.",
  refused: ({ refusal }) => `No rotation can begin yet: ${printable(refusal ?? "")} It begins by itself once it can.`,
  dead: (one) => idleLines(one).join("; "),
};

function previewLines(one: Affected): readonly string[] {
  const { credential, environment, versions, alsoNamed, contain, deadlineMs, atDeadline, consumers } = one;
  if (one.how === "dead") return deadLines(one);
  const then = atDeadline === "contain" ? "is ended whoever still uses it" : "waits for a person's answer";
  const isOnlySuspects = consumers.length > 0 && consumers.every(({ isSuspect }) => isSuspect);
  const way = contain
    ? "Contain-first: it is ended before its consumers have another. They cannot log in until they have the new one."
    : isOnlySuspects
      ? `Every consumer is suspected, so that nobody is left to show that it moved: what is alive after ${span(deadlineMs)} ${then}, and nothing before. With --contain it is ended at once.`
      : `Continuity-first: its consumers move first. What is alive after ${span(deadlineMs)} ${then}.`;
  return [
    `${credential} (${environment}): ${numbers(versions)} to be proven dead`,
    ...wrap(`${way} ${meanings[one.how](one)}`, "  "),
    ...alsoNamed.flatMap(({ version, suspects }) =>
      wrap(
        `Also named, since ${suspects.join(", ")} ${suspects.length === 1 ? "has" : "have"} it: version ${version}.`,
        "  ",
      ),
    ),
    ...idleLines(one).flatMap((line) => wrap(`Besides: ${line}.`, "  ")),
    ...roomLines(one),
    ...table(
      consumers.map(({ ref, target, heldVersion, isSuspect, contact }) => [
        `  ${ref}`,
        isSuspect
          ? "SUSPECTED: breaks, and gets nothing until it is released"
          : contain
            ? "breaks until it has the new version"
            : "moves",
        heldVersion === null ? "" : `holds version ${heldVersion}`,
        target,
        contact,
      ]),
    ),
    ...(consumers.length === 0 ? ["  No consumer is registered: whoever uses it unknown to rekey breaks."] : []),
  ];
}

/** What happens where the issuer has no room beside what has leaked, where somebody chose or has reason to choose. */
function roomLines({ whenFull, contain, older }: Affected): readonly string[] {
  const named = older.map(({ version, heldBy }) => {
    const who = heldBy.length === 0 ? "no registered consumer holds it" : `${heldBy.join(", ")} would break`;
    return `version ${version}, which was ended without proof (${who})`;
  });
  const choice = whenFull ?? (contain ? "in-place" : "hold");
  const then = {
    "end-older":
      named.length === 0
        ? "nothing older is known to rekey, so that it goes on as without a choice"
        : `${named.join("; ")} is ended first`,
    "in-place": "what has leaked is ended first, and its consumers break until they have the one in its place",
    hold: "a person is asked",
  }[choice];
  if (whenFull === null && older.length === 0) return [];
  const other =
    choice === "end-older" || named.length === 0
      ? ""
      : ` Instead of that --when-full end-older ends ${named.join("; ")}.`;
  return wrap(`Where the issuer has no room for another version ${then}.${other}`, "  ");
}

function doneLines({ credential, rotationId, how, emergencyId }: Affected): readonly string[] {
  if (how === "dead") return [];
  const head = `Emergency ${emergencyId ?? ""} of ${credential}`;
  return rotationId === null
    ? wrap(`${head} is recorded; its rotation begins as soon as it can. See: rekey emergency list`, "")
    : [`${head}: rotation ${rotationId}`, `  Follow it: rekey rotation watch ${rotationId}`];
}

const lookEveryMs = 500;

/** Until every one of them is proven dead, or a person has to answer, or the time is over. */
async function waitUntilDead(
  io: Io,
  client: Client,
  affected: readonly Affected[],
  timeout: number | undefined,
): Promise<ExitCode> {
  const end = timeout === undefined ? Infinity : performance.now() + timeout;
  const waited = new Set(affected.flatMap(({ emergencyId }) => emergencyId ?? []));
  const told = new Set<string>();
  let isProven = true;
  while (waited.size > 0) {
    const { emergencies, now } = await client.call("listEmergencies", { query: { limit: 500 } });
    for (const { id, credential, trouble } of emergencies)
      if (waited.has(id) && trouble !== null && !told.has(`${id} ${trouble.code}`)) {
        told.add(`${id} ${trouble.code}`);
        io.say(...wrap(`${clock(now, now)} ${credential}: ${sayTrouble(trouble)}.`, "  "));
      }
    for (const one of emergencies.filter(({ id, outcome }) => waited.has(id) && outcome !== null)) {
      waited.delete(one.id);
      isProven &&= one.outcome === "proven";
      io.give(one);
      io.say(outcomeLine(one));
    }
    if (waited.size === 0) break;
    const held = await heldAmong(client, emergencies, waited);
    if (held !== undefined) {
      io.say(...holdLines(held.hold, held.found));
      return exitCodes.person;
    }
    if (performance.now() > end)
      throw new CliError("Not all of it is dead yet; it goes on", "See: rekey emergency list", exitCodes.timeOut);
    await sleep(lookEveryMs, undefined, { signal: io.signal });
  }
  return isProven ? exitCodes.done : exitCodes.failed;
}

type Emergency = Answer<"listEmergencies">["emergencies"][number];

function outcomeLine({ credential, versions, outcome, createdAt, closedAt }: Emergency): string {
  const tookMs = closedAt === null ? undefined : Date.parse(closedAt) - Date.parse(createdAt);
  const took = tookMs === undefined ? "" : tookMs < 1_000 ? " within a second" : ` after ${span(tookMs)}`;
  const what = outcome === "proven" ? "proven dead" : "ENDED WITHOUT PROOF, by a person's decision";
  return `${credential}: ${numbers(versions)} ${what}${took}.`;
}

/** A hold that the deadline will not answer by itself. */
async function heldAmong(client: Client, emergencies: readonly Emergency[], waited: ReadonlySet<string>) {
  for (const { rotationId } of emergencies.filter(
    ({ id, isOverdue, contain }) => waited.has(id) && (isOverdue || contain),
  )) {
    if (rotationId === null) continue;
    const found = await client.call("showRotation", { params: { rotation: rotationId } });
    if (found.hold !== null && found.commands.every(({ state }) => state !== "pending"))
      return { found, hold: found.hold };
  }
  return undefined;
}

export interface ListEmergenciesOptions {
  readonly open?: boolean;
  readonly limit?: number;
}

/** `rekey emergency list` */
export async function listEmergencies(io: Io, { open, limit }: ListEmergenciesOptions): Promise<ExitCode> {
  const client = await io.client();
  const query = { limit, ...(open === true ? { open: "true" as const } : {}) };
  const answer = await client.call("listEmergencies", { query });
  io.give(answer);
  const rows = answer.emergencies.map((one) => [
    one.id,
    one.credential,
    one.versions.join(", "),
    standsAt(one),
    one.contain ? "contain-first" : `until ${clock(one.deadline, answer.now)}`,
    one.rotationId ?? "",
    clock(one.createdAt, answer.now),
    printable(one.reason),
  ]);
  const [head = "", ...lines] = table([
    ["EMERGENCY", "CREDENTIAL", "VERSIONS", "STANDS AT", "WAY", "ROTATION", "SINCE", "WHY"],
    ...rows,
  ]);
  if (rows.length === 0) io.say(open === true ? "No emergency is open." : "There was no emergency yet.");
  else io.say(head, ...answer.emergencies.flatMap((one, at) => [lines[at] ?? "", ...aboutEmergency(one, answer.now)]));
  return exitCodes.done;
}

/** `rekey consumer release` */
export async function releaseConsumer(
  io: Io,
  consumer: string,
  { credential, reason }: { readonly credential?: string; readonly reason: string },
): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("releaseConsumer", { params: { consumer }, body: { credential, reason } });
  io.give(answer);
  io.say(
    `${answer.consumer} is released: it gets versions again from the next step on.`,
    "  Does its rotation wait for a person by now, answer retry: rekey rotation watch TEAM/CREDENTIAL",
  );
  return exitCodes.done;
}
