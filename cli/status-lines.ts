import type { Answer } from "../api/client.ts";
import { frozen } from "./calendar-lines.ts";
import { clock, minute } from "./show-time.ts";
import { printable } from "./table.ts";
import { wrap, wrapAfter, wrapPasted } from "./wrap.ts";

type Status = Answer<"showStatus">;

const indent = "      ";

/** How it stands, then what is wrong, worst first, each with what to do. */
export function statusLines({ counts, looks, nextAt, now, freezes }: Status): readonly string[] {
  const { credentials, scheduled, open, proven, workers, waiting } = counts;
  return [
    `It is ${minute(now)} UTC.`,
    ...wrap(
      `${credentials} ${credentials === 1 ? "credential" : "credentials"}, ${scheduled} with a schedule; ${open} ${open === 1 ? "rotation" : "rotations"} open, ${proven} proven in the last seven days; ${workers} ${workers === 1 ? "worker" : "workers"}.`,
      "",
    ),
    nextAt === null ? "Nothing is scheduled to begin." : `The next one begins ${clock(nextAt, now)}.`,
    ...(waiting === 0
      ? []
      : wrap(
          `${waiting} ${waiting === 1 ? "is" : "are"} due and ${waiting === 1 ? "waits" : "wait"} for a window, a freeze, a pause: rekey calendar`,
          "",
        )),
    ...freezes.flatMap((one) =>
      wrapAfter("Frozen: ", printable(`${frozen(one)}, until ${minute(one.until)}: ${one.reason}`), " ".repeat(8)),
    ),
    "",
    ...(looks.length === 0 ? ["All is well."] : looks.flatMap(lookLines)),
  ];
}

const lookLines = ({ state, about, text, mend }: Status["looks"][number]): readonly string[] => [
  `${state.padEnd(5)} ${printable(about)}`,
  ...wrapPasted("", text, indent),
  ...(mend === undefined ? [] : [`${indent}  ${printable(mend)}`]),
];
