import type { Answer } from "../api/client.ts";
import { clock, since } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap } from "./wrap.ts";

export type Rotation = Answer<"showRotation">;
type Hold = NonNullable<Rotation["hold"]>;

const versions = ({ fromVersion, toVersion }: Rotation) =>
  fromVersion === null ? `version ${toVersion}` : `version ${fromVersion} to ${toVersion}`;

/** First who and what, then where it is, then what it waits for. */
export function headLines(one: Rotation): readonly string[] {
  const marks = [one.paused ? "PAUSED" : "", one.urgent ? "urgent" : ""].filter((mark) => mark !== "");
  return [
    `Rotation ${one.id} of ${one.credential} (${one.environment}), ${one.order}, ${versions(one)}${marks.map((mark) => `, ${mark}`).join("")}`,
    `  Asked for by ${one.requestedBy} at ${clock(one.createdAt, one.now)}${one.reason === "" ? "" : `: "${printable(one.reason)}"`}`,
    "",
    phaseLine(one),
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
  return `  ${shown.join(" ")}${way}`;
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
  const until = waitsFor.until === null ? "" : `, until ${clock(waitsFor.until, now)}`;
  const isTold = lastProblem === null || attempts === 0 || hold !== null;
  return [
    `  Waits for: ${waitsFor.text} Since ${clock(waitsFor.since, now)} (${since(waitsFor.since, now)})${until}.`,
    ...(isTold ? [] : [`  Last problem: ${lastProblem.title} (${lastProblem.code}), attempt ${attempts}.`]),
  ];
}

/** The hold, its numbered gaps, what each answer would do, and the very command to type. */
export function holdLines(hold: Hold, { id, now }: Rotation): readonly string[] {
  const gaps = hold.gaps.flatMap(({ number, text }) => {
    const [first = "", ...rest] = wrap(printable(text), "       ");
    return [`    ${String(number).padStart(2)}. ${first.trimStart()}`, ...rest];
  });
  return [
    `HOLD ${hold.number}, in ${hold.phase}, since ${clock(hold.openedAt, now)} (${since(hold.openedAt, now)}): ${hold.title}`,
    ...detailLines(hold),
    ...(gaps.length === 0 ? [] : ["  Gaps:", ...gaps]),
    ...(hold.givenAnswer === null
      ? ["  Answer it with one of:", ...answerLines(hold, id)]
      : [`  ${hold.givenAnswer.actor} has answered ${hold.givenAnswer.decision}; the next step hears it.`]),
  ];
}

/** The detail, unless it is the gaps once more. */
function detailLines({ detail, gaps }: Hold): readonly string[] {
  if (gaps.length > 0 && detail === gaps.map(({ text }) => text).join("\n")) return [];
  return detail.split("\n").flatMap((line) => wrap(printable(line), "  "));
}

function answerLines({ answers, gaps, number }: Hold, id: string): readonly string[] {
  const list = gaps.map((gap) => gap.number).join(",");
  const named = list === "" ? "" : ` --gaps ${list}`;
  const commands = {
    retry: `rekey rotation retry ${id} --hold ${number}`,
    "roll-back": `rekey rotation roll-back ${id} --hold ${number}`,
    accept: `rekey rotation accept ${id} --hold ${number}${named} --reason "…"`,
  } as const;
  return (["retry", "roll-back", "accept"] as const).flatMap((decision) => {
    const { allowed, text } = answers[decision];
    const said = wrap(allowed ? text : `Not possible: ${text}`, "               ");
    const [first = "", ...rest] = said;
    return [
      `    ${decision.padEnd(9)}  ${first.trimStart()}`,
      ...rest,
      ...(allowed ? [`               $ ${commands[decision]}`] : []),
    ];
  });
}

export function consumerLines({ consumers, now }: Rotation): readonly string[] {
  if (consumers.length === 0) return ["Consumers: none is registered."];
  return [
    "Consumers",
    ...consumers.flatMap((one) => {
      const held = one.heldVersion === null ? "nothing delivered yet" : `holds version ${one.heldVersion}`;
      const when = one.deliveredAt === null ? "" : `, delivered ${clock(one.deliveredAt, now)}`;
      return [
        `  ${one.ref}  ${printable(one.target)}  ${held}${when}; asked for ${one.wanted} evidence`,
        ...one.evidence.flatMap((found) => evidenceLines(found, now)),
      ];
    }),
  ];
}

function evidenceLines(found: Rotation["consumers"][number]["evidence"][number], now: string): readonly string[] {
  const verdict = found.complete ? "complete" : "incomplete";
  const age = found.isFresh ? "" : ", older than the last delivery";
  return [
    `    ${found.strength}, by ${found.source}: version ${found.version}, ${verdict}, ${found.instances} instances, ${clock(found.at, now)}${age}`,
    ...found.lacks.flatMap((lack) => wrap(printable(lack), "      - ")),
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
