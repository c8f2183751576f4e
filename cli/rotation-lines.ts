import type { Answer } from "../api/client.ts";
import { aboutEmergency } from "./emergency-lines.ts";
import { clock, since } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap, wrapAfter } from "./wrap.ts";

export type Rotation = Answer<"showRotation">;

const versions = ({ fromVersion, toVersion }: Rotation) =>
  fromVersion === null ? `version ${toVersion}` : `version ${fromVersion} to ${toVersion}`;

/** First who and what, then where it is, then what it waits for. */
export function headLines(one: Rotation): readonly string[] {
  const marks = [one.paused ? "PAUSED" : "", one.urgent ? "urgent" : ""].filter((mark) => mark !== "");
  return [
    ...wrapAfter(
      "Rotation",
      `${one.id} of ${one.credential} (${one.environment}), ${one.order}, ${versions(one)}${marks.map((mark) => `, ${mark}`).join("")}`,
      " ".repeat(9),
    ),
    ...wrap(
      `Asked for ${one.isShared ? `by team ${one.credential.split("/")[0] ?? ""}` : `by ${one.requestedBy}`} at ${clock(one.createdAt, one.now)}${one.reason === "" ? "" : `: "${printable(one.reason)}"`}`,
      "  ",
    ),
    "",
    ...wrap(phaseLine(one), "  "),
    standingLine(one),
    ...waitLines(one),
  ];
}

/** `✓ reserved ✓ issued [delivered] adopted … ‖ revoking …` */
function phaseLine({ phases, direction, outcome }: Rotation): string {
  const shown = phases.map(({ phase, state, isPointOfNoReturn }) => {
    const name = state === "here" ? `[${phase}]` : state === "done" ? `✓${phase}` : phase;
    return isPointOfNoReturn ? `‖ ${name}` : name;
  });
  const way = outcome !== null ? "" : direction === "undo" ? "  ← being undone" : "";
  return `${shown.join(" ")}${way}`;
}

function standingLine({ outcome, isPastReturn, direction, closedAt, now }: Rotation): string {
  if (outcome !== null) return `  Closed as ${outcome} at ${clock(closedAt ?? now, now)}.`;
  if (direction === "undo")
    return "  Every consumer that was touched gets the previous version back; then the new one is ended.";
  return isPastReturn
    ? "  Past the point of no return (‖): it only goes forward."
    : "  Before the point of no return (‖): all of it can still be undone.";
}

function waitLines({ waitsFor, outcome, now, lastProblem, attempts, hold }: Rotation): readonly string[] {
  if (outcome !== null) return [];
  const next = waitsFor.until === null ? "" : `; next look at ${clock(waitsFor.until, now)}`;
  const isTold = lastProblem === null || attempts === 0 || hold !== null;
  return [
    ...wrapAfter(
      "  Waits for:",
      `${waitsFor.text} Since ${clock(waitsFor.since, now)} (${since(waitsFor.since, now)})${next}.`,
      " ".repeat(13),
    ),
    ...(isTold ? [] : [`  Last problem: ${lastProblem.title} (${lastProblem.code}), attempt ${attempts}.`]),
  ];
}

export function consumerLines({ consumers, now }: Rotation): readonly string[] {
  if (consumers.length === 0) return ["Consumers: none is registered."];
  return [
    "Consumers",
    ...consumers.flatMap((one) => {
      return [
        ...wrapAfter(
          `  ${one.ref}`,
          `${printable(one.target)}, ${heldText(one, now)}; asked for ${one.wanted} evidence; team ${one.team}${one.contact === "" ? "" : `, ${printable(one.contact)}`}`,
          " ".repeat(one.ref.length + 4),
        ),
        ...one.evidence.flatMap((found) => evidenceLines(found, now)),
      ];
    }),
  ];
}

/** What it holds may be of another rotation, before this one's delivery or since. */
function heldText({ heldVersion, deliveredVersion, deliveredAt }: Rotation["consumers"][number], now: string): string {
  const held = heldVersion === null ? "nothing delivered yet" : `holds version ${heldVersion}`;
  if (deliveredAt === null || deliveredVersion === null) return held;
  const at = clock(deliveredAt, now);
  return deliveredVersion === heldVersion
    ? `${held}, delivered ${at}`
    : `version ${deliveredVersion} on its way since ${at}; ${heldVersion === null ? "nothing seen there yet" : held}`;
}

function evidenceLines(found: Rotation["consumers"][number]["evidence"][number], now: string): readonly string[] {
  const verdict = found.complete ? "complete" : "incomplete";
  const age = found.isFresh ? "" : ", older than the last delivery";
  return [
    `    ${found.strength}, by ${found.source}: version ${found.version}, ${verdict}, ${found.instances} ${found.instances === 1 ? "instance" : "instances"}, ${clock(found.at, now)}${age}`,
    ...found.lacks.flatMap((lack) => wrapAfter("      -", printable(lack), "        ")),
  ];
}

/** Sessions of one client on one version are one row. */
export function sessionLines({ sessions, now }: Rotation): readonly string[] {
  if (sessions === null) return [];
  const groups = Map.groupBy(sessions.list, ({ version, principal, address, applicationName, database }) =>
    JSON.stringify([version, principal, address, applicationName, database]),
  );
  const rows = [...groups.values()].flatMap(([one, ...others]) => {
    if (one === undefined) return [];
    const first = [one, ...others].map(({ startedAt }) => startedAt).toSorted()[0] ?? one.startedAt;
    return [
      [
        `  ${one.version === null ? "unknown version" : `version ${one.version}`}`,
        one.principal,
        one.address,
        `"${one.applicationName}"`,
        one.database,
        others.length === 0 ? "1 session" : `${others.length + 1} sessions`,
        `since ${clock(first, now)}`,
      ],
    ];
  });
  return [`Sessions at the issuer, ${clock(sessions.at, now)}${rows.length === 0 ? ": none" : ""}`, ...table(rows)];
}

/** What has leaked, until when it waits for the consumers, who is suspected, what it passed over, and whom it broke for how long. */
export function emergencyLines({ emergencies, broken, afterDeath, now }: Rotation): readonly string[] {
  if (emergencies.length === 0) return [];
  return [
    "Emergency",
    ...emergencies.flatMap((one) => {
      const { versions: leaked, reason, contain, deadline, atDeadline, requestedBy, outcome } = one;
      const then = atDeadline === "contain" ? "ends it whoever breaks" : "asks a person";
      const way = contain ? "waits for nobody" : `waits for the consumers until ${clock(deadline, now)}, then ${then}`;
      const [lead, have] = leaked.length === 1 ? ["  version ", "has"] : ["  versions ", "have"];
      const text = `${leaked.join(", ")} ${have} leaked: "${printable(reason)}", by ${requestedBy}; ${outcome ?? way}.`;
      return [...wrapAfter(lead, text, " ".repeat(lead.length)), ...aboutEmergency(one, now)];
    }),
    ...broken.flatMap(({ ref, from, until }) => {
      const ended = `${clock(from, now)}, when what it ran on was ended`;
      const text =
        until === null
          ? `broken since ${ended}, as long as it has not shown the new version (${since(from, now)})`
          : `broken for ${since(from, until)} at most: from ${ended}, until it had shown the new version at ${clock(until, now)}`;
      return wrapAfter("", `${ref}: ${text}`, "  ");
    }),
    ...afterDeath.flatMap(({ text, firstSeenAt, lastSeenAt }) =>
      wrapAfter("  after", `${text} Seen ${seenBetween(firstSeenAt, lastSeenAt, now)}.`, " ".repeat(10)),
    ),
  ];
}

const seenBetween = (first: string, last: string, now: string): string =>
  first === last ? `at ${clock(first, now)}` : `from ${clock(first, now)} to ${clock(last, now)}`;

/** Who answered which hold, and how: the record of whom an accepted gap may have broken. */
export function answeredLines({ answeredHolds, now }: Rotation): readonly string[] {
  if (answeredHolds.length === 0) return [];
  return [
    "Answered holds",
    ...table(
      answeredHolds.map(({ number, phase, code, decision, decidedBy, reason, decidedAt }) => [
        `  ${number}`,
        `in ${phase}`,
        code,
        decision,
        `by ${decidedBy}`,
        clock(decidedAt, now),
        reason === "" ? "" : `"${reason}"`,
      ]),
    ),
  ];
}
