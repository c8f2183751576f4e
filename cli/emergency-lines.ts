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

/** Who may be the leak, and what was passed over: nothing where there is neither. */
export function aboutEmergency({ suspects, overridden }: Emergency, now: string): readonly string[] {
  const lines = (lead: string, texts: readonly string[]) =>
    texts.length === 0 ? [] : wrapAfter(`    ${lead}`, `${texts.join("; ")}.`, " ".repeat(15));
  return [
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
