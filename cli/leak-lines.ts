import type { Answer } from "../api/client.ts";
import { isOpen, rank, type LeakResult } from "./leak-results.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap, wrapAfter } from "./wrap.ts";

type Version = LeakResult["versions"][number];
type NotCompared = Answer<"checkLeaks">["notCompared"];

const indent = " ".repeat(10);
const inner = `${indent}  `;
/** Of one secret that lies at many places. */
const mostPlaces = 5;
/** A trail of weeks is read: each time has its date. */
const at = (time: string): string => `${clock(time, "")} UTC`;

/** What needs somebody first; all of which nothing is known in one for each reason. */
export function resultLines(results: readonly LeakResult[]): readonly string[] {
  const known = results.filter(({ state }) => state === "known");
  const others = results.filter(({ state }) => state !== "known");
  const together = [...Map.groupBy(others, ({ state }) => state).values()].flatMap(([first, ...more]) =>
    first === undefined ? [] : [{ ...first, places: [first, ...more].flatMap(({ places }) => places) }],
  );
  return [...known, ...together].toSorted((a, b) => rank(a) - rank(b)).flatMap(linesOf);
}

function linesOf(one: LeakResult): readonly string[] {
  const { places, state, versions, connections, tokens } = one;
  const more = places.length - mostPlaces;
  const where = `${places.slice(0, mostPlaces).join(", ")}${more > 0 ? `, and ${more} more` : ""}`;
  return [
    ...wrapAfter(wordOf(one), printable(where), indent),
    ...(state === "known" ? [] : wrap(unknownTexts[state], indent)),
    ...versions.flatMap(versionLines),
    ...connections.flatMap(connectionLines),
    ...tokens.flatMap(tokenLines),
  ];
}

function connectionLines({ connection, environment, kind, principal, next }: LeakResult["connections"][number]) {
  const login = principal === "" ? "" : `, login ${printable(principal)}`;
  return [
    ...wrap(`the secret of connection ${connection} (${environment}, ${kind})${login}.`, indent),
    ...wrap(next, indent),
  ];
}

function tokenLines({ id, role, isValid, command }: LeakResult["tokens"][number]) {
  return [
    `${indent}rekey's own token ${id}, role ${role}${isValid ? "" : ": expired or revoked, it opens nothing"}.`,
    ...(command === null ? [] : [`${indent}End it: ${command}`]),
  ];
}

function wordOf(one: LeakResult): string {
  if (one.state === "unknown") return "unknown";
  if (one.state !== "known") return "NOT ASKED";
  if (!isOpen(one)) return "dead";
  const isUnproven =
    one.connections.length + one.tokens.length === 0 && one.versions.every(({ life }) => life !== "alive");
  return isUnproven ? "UNPROVEN" : "ALIVE";
}

const unknownTexts: Readonly<Record<Exclude<LeakResult["state"], "known">, string>> = {
  unknown: "not known to rekey. One that was cut or changed is not recognised: paste all of it, as it was found.",
  redacted: "somebody hid it, so that it was compared with nothing. Scan again without redaction.",
  "too-long": "too long to be compared. Cut out what may be the secret, and check that.",
  "no-time": "not compared: the time was over. Run it again.",
};

function versionLines(version: Version): readonly string[] {
  const { consumers, command, deletedAt } = version;
  return [
    ...wrap(
      `version ${version.version} of ${version.credential} (${version.environment}, ${version.kind})${version.isCurrent ? ", its current one" : ""}${deletedAt === null ? "" : `, deleted ${at(deletedAt)}`}; ${sinceText(version)}.`,
      indent,
    ),
    ...(version.by === "handle"
      ? wrap(
          "Only what its issuer calls it was found, which is no secret: look whether the secret stood beside it.",
          indent,
        )
      : []),
    ...(version.life === "dead" ? [] : wrap(version.next, indent)),
    ...(consumers.length === 0
      ? []
      : [
          `${indent}Its end may break`,
          ...table(
            consumers.map(({ ref, heldVersion, tie, contact }) => [
              `${inner}${ref}`,
              tieText(tie, heldVersion),
              contact,
            ]),
          ),
        ]),
    ...(command === null ? [] : [`${indent}End it: ${command}`]),
  ];
}

function sinceText({ life, since, state, proof }: Version): string {
  if (life === "alive") return `made ${at(since)}`;
  if (life === "unproven") return `${state === "ended" ? "ended" : "given up"} ${at(since)}`;
  if (proof === null) return `proven dead ${at(since)}`;
  const by = proof.rotationId === null ? "" : `, rotation ${proof.rotationId}`;
  return `seen refused ${at(proof.at)} (${printable(proof.code)}; controls: ${printable(proof.controls)}${by})`;
}

function tieText(tie: Version["consumers"][number]["tie"], held: number | null): string {
  if (tie === "holds") return "holds it";
  return tie === "undelivered"
    ? "has what it had before rekey, which may be this"
    : `was given version ${held ?? "?"}, not yet seen to use it`;
}

/** How many of each, and what none of it can speak for. */
export function summaryLines(results: readonly LeakResult[], notCompared: NotCompared | null): readonly string[] {
  const counts = [
    ...Map.groupBy(
      results.toSorted((a, b) => rank(a) - rank(b)),
      wordOf,
    ),
  ].map(([word, some]) => `${some.length} ${word}`);
  return [
    ...(results.length === 0
      ? ["The report has no findings."]
      : ["", `${results.length} different ${results.length === 1 ? "value" : "values"}: ${counts.join(", ")}.`]),
    ...(notCompared?.isKeyMissing === true
      ? wrap(
          "WARNING: some versions have fingerprints under a key that the API does not hold, so that they are never recognised. Restore the file that REKEY_FINGERPRINT_KEY_FILE names.",
          "",
        )
      : []),
    ...(notCompared === null || notCompared.count === 0
      ? []
      : wrap(
          `Never recognised, because nobody has given their value: ${notCompared.versions.map(({ credential, version }) => `version ${version} of ${credential}`).join(", ")}${notCompared.count > notCompared.versions.length ? `, and ${notCompared.count - notCompared.versions.length} more` : ""}.`,
          "",
        )),
  ];
}
