import { durationText, timeText, versionsText, whoIs } from "./said.ts";
import { or, rowsOf, type Section, type Shown } from "./section.ts";
import type { ReceiptBody } from "./shape.ts";

type Emergency = NonNullable<ReceiptBody["emergency"]>;
type Declaration = Emergency["declarations"][number];

/** What kept nothing, in words. */
const obstacles: Readonly<Record<string, string>> = {
  window: "a window that was shut",
  freeze: "a freeze",
  "policy-pause": "a pause of its policy",
  pause: "a pause of the rotation",
  hold: "a question that waited for a person",
  "back-off": "the time to wait after failures",
  "given-up": "too many failures in a row",
};

/** What an emergency asked for, and what that cost; none of a rotation that no emergency met. */
export function emergencySections(receipt: ReceiptBody): readonly Section[] {
  const { emergency } = receipt;
  if (emergency === undefined) return [];
  const { declarations, overridden, broken } = emergency;
  const perDeclaration = (rows: (one: Declaration, pointer: string) => readonly (readonly Shown[])[]) =>
    declarations.flatMap((one, place) => rows(one, `/emergency/declarations/${place}`));
  return [
    {
      title: "Emergency",
      empty: "",
      columns: ["Leaked", "Declared by", "Declared at", "Because", "Way", "Deadline", "Ended as", "Ended at"],
      rows: perDeclaration((one, pointer) => [
        [
          { text: versionsText(one.versions.map(({ number }) => number)), at: `${pointer}/versions` },
          { text: whoIs(receipt, one.by), at: `${pointer}/by` },
          { text: timeText(one.at), at: `${pointer}/at` },
          { text: one.reason, at: `${pointer}/reason` },
          { text: wayText(one), at: `${pointer}/way` },
          { text: deadlineText(one), at: `${pointer}/deadline` },
          { text: one.outcome ?? "open when this was made", at: `${pointer}/outcome` },
          { text: one.closedAt === null ? "" : timeText(one.closedAt), at: `${pointer}/closedAt` },
        ],
      ]),
    },
    {
      title: "From the declaration to the proof of death",
      empty: "",
      columns: ["Version", "Proven dead at", "After the declaration"],
      rows: perDeclaration(({ versions }, pointer) =>
        rowsOf(versions, `${pointer}/versions`, ({ number, provenAt, seconds }) => [
          ["number", String(number)],
          ["provenAt", provenAt === null ? "NOT PROVEN DEAD" : timeText(provenAt)],
          ["seconds", seconds === null ? "" : durationText(seconds)],
        ]),
      ),
    },
    {
      title: "Consumers that were suspected to be the leak",
      note: "Nothing is brought to one, and nobody waits for it, until a person answers for it.",
      empty: "None was.",
      columns: ["Consumer", "Released at", "By", "Because"],
      rows: perDeclaration(({ suspects }, pointer) =>
        rowsOf(suspects, `${pointer}/suspects`, ({ consumer, releasedAt, releasedBy, reason }) => [
          ["consumer", consumer],
          ["releasedAt", releasedAt === null ? "not released when this was made" : timeText(releasedAt)],
          ["releasedBy", releasedBy === null ? "" : whoIs(receipt, releasedBy)],
          ["reason", or(reason, "")],
        ]),
      ),
    },
    {
      title: "What would have kept routine work and did not keep the emergency",
      empty: "Nothing stood in its way.",
      columns: ["What", "Because", "Until", "Overridden at", "By the emergency of"],
      rows: rowsOf(overridden, "/emergency/overridden", (one) => [
        ["what", obstacles[one.what] ?? one.what],
        ["why", or(one.why, "")],
        ["until", one.until === null ? "no time was set" : timeText(one.until)],
        ["at", timeText(one.at)],
        ["by", whoIs(receipt, one.by)],
      ]),
    },
    {
      title: "Consumers that it broke",
      note: "From the end of the version that they ran on until they were first seen on the new one, as far as evidence tells.",
      empty: "None, as far as evidence tells.",
      columns: ["Consumer", "From", "Until", "For"],
      rows: rowsOf(broken, "/emergency/broken", ({ consumer, from, until, seconds }) => [
        ["consumer", consumer],
        ["from", timeText(from)],
        ["until", until === null ? "not seen on the new version when this was made" : timeText(until)],
        ["seconds", seconds === null ? "" : durationText(seconds)],
      ]),
    },
  ];
}

function wayText({ way, contained }: Declaration): string {
  if (way === "contain") return "ended before its consumers had another";
  return contained ? "its consumers first; once its time was over, ended whoever was on it" : "its consumers first";
}

const deadlineText = ({ deadline, atDeadline, way }: Declaration): string =>
  way === "contain"
    ? "none: it waited for nobody"
    : `${timeText(deadline)}, then ${atDeadline === "contain" ? "ended whoever was on it" : "a person is asked"}`;

/** In sentences: who declared what, how long it took, what is left, and whom it broke. */
export function emergencySaid(receipt: ReceiptBody): readonly string[] {
  const { emergency, rotation } = receipt;
  if (emergency === undefined) return [];
  const { declarations, broken } = emergency;
  const longest = Math.max(...broken.map(({ seconds }) => seconds ?? Infinity));
  const names = broken.map(({ consumer }) => consumer).join(", ");
  return [
    ...declarations.map((one) => {
      const leaked = versionsText(one.versions.map(({ number }) => number));
      const head = `An emergency was declared by ${whoIs(receipt, one.by)} at ${timeText(one.at)}: ${leaked} had leaked.`;
      return [head, ...provenSaid(one), ...carriedSaid(one, rotation.id)].join(" ");
    }),
    ...(broken.length === 0
      ? []
      : [
          `It broke ${names}${Number.isFinite(longest) ? `, ${broken.length === 1 ? "for" : "the longest for"} ${durationText(longest)}` : ", not all of which have been seen on the new version since"}.`,
        ]),
  ];
}

function provenSaid({ versions, outcome }: Declaration): readonly string[] {
  const left = versions.filter(({ seconds }) => seconds === null).map(({ number }) => number);
  const took = Math.max(...versions.map(({ seconds }) => seconds ?? 0));
  if (left.length === 0) return [`Proven dead ${durationText(took)} later.`];
  const which = versionsText(left);
  const is = left.length === 1 ? "is" : "are";
  return [
    outcome === null
      ? `NOT PROVEN DEAD when this was made: ${which}.`
      : `${which[0]?.toUpperCase() ?? ""}${which.slice(1)} ${is} NOT PROVEN DEAD, and it was closed without proof.`,
  ];
}

function carriedSaid({ carriedBy }: Declaration, rotationId: string): readonly string[] {
  if (carriedBy === rotationId) return [];
  return [
    carriedBy === null
      ? "No rotation had begun that makes a clean version."
      : `This rotation gave way to ${carriedBy}, which makes the clean version and has a receipt of its own.`,
  ];
}
