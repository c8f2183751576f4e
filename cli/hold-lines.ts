import type { Answer } from "../api/client.ts";
import { clock, since } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrapAfter, wrapPasted } from "./wrap.ts";

type Rotation = Answer<"showRotation">;
type Hold = NonNullable<Rotation["hold"]>;
export type Choice = Hold["choices"][number];
type Owner = Hold["owner"];

/** The hold as one has to read it to answer it: what is missing, since when, whom to ask, what each answer would do. */
export function holdLines(hold: Hold, found: Rotation): readonly string[] {
  const { givenAnswer: given } = hold;
  return [
    ...storyLines(hold, found),
    ...(given === null
      ? [
          "  What you can do",
          ...hold.choices.flatMap((choice) => [...choiceLines(choice), ...toType(choice, hold, found)]),
        ]
      : [`  ${given.actor} has answered ${given.decision}; the next step hears it.`]),
  ];
}

/** The same without what can be done. */
export function storyLines(hold: Hold, { credential, now }: Rotation): readonly string[] {
  const { number, phase, openedAt, title, gaps } = hold;
  const head = `HOLD ${number}, in ${phase}, since ${clock(openedAt, now)} (${since(openedAt, now)}): ${title}`;
  return [
    ...wrapAfter("", head, ""),
    ...detailLines(hold),
    ...(gaps.length === 0 ? [] : ["  What is missing"]),
    ...gaps.flatMap((gap) => wrapAfter(`    ${String(gap.number).padStart(2)}.`, printable(gap.text), " ".repeat(8))),
    "  Whom to ask",
    ...ownerLines(hold, credential),
  ];
}

/** The detail, unless it is the gaps once more. */
function detailLines({ detail, gaps }: Hold): readonly string[] {
  if (gaps.length > 0 && detail === gaps.map(({ text }) => text).join("\n")) return [];
  return wrapPasted("", detail, "  ");
}

function ownerLines({ gaps, owner }: Hold, credential: string): readonly string[] {
  const owned = Map.groupBy(gaps, (gap) => gap.owner?.consumer ?? "");
  const row = (about: string, whose: string, { team, contact }: Owner) => [
    `    ${about}`,
    whose,
    `team ${team}`,
    contact === "" ? "which has registered no contact" : contact,
  ];
  return table([
    ...[...owned].flatMap(([consumer, its]) => {
      const [first] = its;
      const numbers = its.map(({ number }) => number).join(", ");
      return first === undefined || first.owner === null ? [] : [row(`gap ${numbers}`, consumer, first.owner)];
    }),
    row("credential", credential, owner),
  ]);
}

export const choiceIndent = " ".repeat(15);

export function choiceLines({ name, allowed, text }: Choice): readonly string[] {
  return wrapAfter(`    ${name}`, allowed ? text : `Not possible: ${text}`, choiceIndent);
}

/** The very command to type. Never wrapped: it is there to be copied. */
function toType({ name, allowed, needsReason }: Choice, { number, gaps }: Hold, { id }: Rotation): readonly string[] {
  if (!allowed || name === "wait") return [];
  const isAnswer = name === "retry" || name === "roll-back" || name === "accept";
  const which = isAnswer ? ` --hold ${number}` : "";
  const named = name === "accept" && gaps.length > 0 ? ` --gaps ${gaps.map((gap) => gap.number).join(",")}` : "";
  return [`${choiceIndent}$ rekey rotation ${name} ${id}${which}${named}${needsReason ? ' --reason "…"' : ""}`];
}
