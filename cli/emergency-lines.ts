import type { Answer } from "../api/client.ts";
import { clock } from "./show-time.ts";
import { printable } from "./table.ts";
import { wrapAfter } from "./wrap.ts";

type Emergency = Answer<"listEmergencies">["emergencies"][number];
type Overridden = Emergency["overridden"][number];

const obstacles: Readonly<Record<Overridden["what"], string>> = {
  window: "a shut window",
  freeze: "freeze",
  "policy-pause": "a pause of its policy",
  pause: "a pause of the rotation",
  hold: "hold",
  "back-off": "the wait after failures",
  "given-up": "too many failures in a row",
};

/** `open`, how it ended, or what keeps it from getting on. */
export function standsAt({ outcome, refusedCode, trouble }: Emergency): string {
  if (outcome !== null) return outcome;
  if (refusedCode !== null) return `waits: ${refusedCode}`;
  if (trouble === null) return "open";
  return trouble.isHeld ? `asks: ${trouble.code}` : `fails: ${trouble.code}`;
}

/** What its rotation fails with, who may be the leak, and what was passed over: nothing where there is none of it. */
export function aboutEmergency({ suspects, overridden, trouble }: Emergency, now: string): readonly string[] {
  const lines = (lead: string, texts: readonly string[]) =>
    texts.length === 0 ? [] : wrapAfter(`    ${lead}`, `${texts.join("; ")}.`, " ".repeat(15));
  return [
    ...lines("trouble", trouble === null ? [] : [sayTrouble(trouble)]),
    ...lines(
      "suspected",
      suspects.map(({ ref, releasedAt, releasedBy, reason }) =>
        releasedAt === null
          ? `${ref}, which gets nothing until it is released`
          : `${ref}, released at ${clock(releasedAt, now)} by ${releasedBy}: "${printable(reason ?? "")}"`,
      ),
    ),
    ...lines(
      "overrode",
      overridden.map(({ what, why, until, at }) => {
        const because = why === null ? "" : what === "hold" ? ` ${why}` : ` "${printable(why)}"`;
        return `${obstacles[what]}${because}${until === null ? "" : ` until ${clock(until, now)}`} (at ${clock(at, now)})`;
      }),
    ),
  ];
}

export function sayTrouble({ title, code, attempts, isHeld }: NonNullable<Emergency["trouble"]>): string {
  if (isHeld) return `${title} (${code}): a person is asked`;
  return `${title} (${code}), ${attempts} ${attempts === 1 ? "try" : "tries"} so far; it is tried again by itself`;
}
