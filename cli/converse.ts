import { ApiError, type Answer, type Client, type Request } from "../api/client.ts";
import { choiceIndent, choiceLines, storyLines, type Choice } from "./hold-lines.ts";
import type { Person } from "./person.ts";
import { wrap, wrapAfter } from "./wrap.ts";

type Rotation = Answer<"showRotation">;
type Hold = NonNullable<Rotation["hold"]>;

export interface Conversation {
  readonly person: Person;
  readonly client: Client;
  readonly found: Rotation;
  readonly hold: Hold;
  /** Ends when the hold is no longer what was shown, or nobody wants to know any more. */
  readonly signal: AbortSignal;
}

/** `given`: look at what follows. `wait`: look on, and ask about this hold no more. `leave`: nobody answers it here. */
export type Conversed = "given" | "wait" | "leave";

/** Shows an open hold to a person and gives what they decide. Nothing is chosen for them: an empty answer asks again. */
export async function converse({ person, client, found, hold, signal }: Conversation): Promise<Conversed> {
  const { choices } = hold;
  const possible = choices.filter(({ allowed }) => allowed);
  const words = [...possible.map(({ name }) => name), "leave"];
  person.tell("", ...storyLines(hold, found), "  What you can do", ...choices.flatMap(choiceLines));
  person.tell(...wrapAfter("    leave", "Ends here; the hold stays open.", choiceIndent));
  for (;;) {
    const typed = await person.ask(`Type one of ${words.join(", ")}: `, signal);
    if (typed === undefined) return signal.aborted ? "given" : "leave";
    if (typed === "") continue;
    const fitting = words.filter((word) => word.startsWith(typed.toLowerCase()));
    const [name, ...others] = fitting;
    if (name === undefined || others.length > 0) {
      person.tell(name === undefined ? "That is none of them." : `Type more of it: ${fitting.join(" or ")}.`);
      continue;
    }
    if (name === "leave" || name === "wait") return name;
    const choice = possible.find((one) => one.name === name);
    if (choice !== undefined && (await gives(choice, { person, client, found, hold, signal }))) return "given";
  }
}

async function gives(choice: Choice, conversation: Conversation): Promise<boolean> {
  const { person, client, found, hold } = conversation;
  const reason = await reasonFor(choice, conversation);
  if (reason === undefined) return false;
  try {
    const body = { command: commandOf(choice, hold), reason };
    await client.call("giveCommand", { params: { rotation: found.id }, body });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    person.tell(...wrap(`Refused: ${error.problem.detail} ${error.problem.next}`, ""));
    return false;
  }
  person.tell(`Given: ${choice.name}. The next step hears it.`, "");
  return true;
}

function commandOf({ name }: Choice, { id, gaps }: Hold): Request<"giveCommand">["body"]["command"] {
  switch (name) {
    case "retry":
    case "roll-back":
    case "accept":
      return { kind: "decide", holdId: id, decision: name, gaps: gaps.map(({ key }) => key) };
    case "pause":
    case "resume":
    case "abort":
      return { kind: name };
    case "wait":
      throw new Error("To wait is no command.");
  }
}

/** Empty where none is needed; undefined when the person thought better of it. */
async function reasonFor(
  { needsReason }: Choice,
  { person, hold, signal }: Pick<Conversation, "person" | "hold" | "signal">,
): Promise<string | undefined> {
  if (!needsReason) return "";
  const numbers = hold.gaps.map(({ number }) => String(number));
  if (numbers.length > 0) {
    const list = numbers.join(",");
    const typed = await person.ask(`Type the numbers of the gaps that you accept, all of them (${list}): `, signal);
    if (typed?.replaceAll(" ", "") !== list) {
      person.tell("Nothing was accepted: all of its gaps have to be named.");
      return undefined;
    }
  }
  const reason = await person.ask("Why, in your words (kept for good; no secret): ", signal);
  if (reason !== undefined && reason !== "") return reason;
  person.tell("Nothing was accepted: it needs a reason.");
  return undefined;
}
