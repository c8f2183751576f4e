import type { Answer } from "../api/client.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { findingLines, waitForCheck } from "./wait-for-check.ts";
import { wrap, wrapAfter, wrapPasted } from "./wrap.ts";

export interface ListOptions {
  readonly team?: string;
  readonly credential?: string;
  readonly limit?: number;
}

type Shown = Answer<"showConsumer">;
type Seen = Shown["seen"][number];

/** `rekey consumer list` */
export async function listConsumers(io: Io, { team, credential, limit }: ListOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listConsumers", { query: { team, credential, limit } });
  io.give(answer);
  const rows = answer.consumers.map(({ ref, credential: of, kind, heldVersion, wanted, canGive, seen }) => [
    ref,
    of,
    kind,
    heldVersion === null ? "nothing yet" : `version ${heldVersion}`,
    wanted,
    canGive[0] ?? "",
    seenText(seen.find(({ complete }) => complete)),
  ]);
  if (rows.length === 0)
    io.say(
      emptyList(
        "consumer",
        { team, credential },
        "Register one: rekey apply -f FILE, or ask for it: rekey consumer register -f FILE",
      ),
    );
  else io.say(...table([["CONSUMER", "CREDENTIAL", "KIND", "HOLDS", "ASKED FOR", "CAN GIVE", "LAST SEEN"], ...rows]));
  return exitCodes.done;
}

const seenText = (seen: Seen | undefined) =>
  seen === undefined ? "never" : `${seen.strength}, version ${seen.version}, ${clock(seen.at)}`;

export interface ConsumerOptions {
  readonly credential?: string;
}

/** `rekey consumer show` */
export async function showConsumer(io: Io, consumer: string, { credential }: ConsumerOptions): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showConsumer", { params: { consumer }, query: { credential } });
  io.give(found);
  const { ref, heldVersion, currentVersion, note, team, contact } = found;
  const row = (name: string, text: string) => wrapAfter(`  ${name}`, printable(text), " ".repeat(14));
  io.say(
    `Consumer ${ref} of ${found.credential} (${found.environment})   ${found.id}`,
    ...row("Team", contact === "" ? `${team}, which has registered no contact` : `${team}, ${contact}`),
    ...row("Target", `${found.target} (${found.kindTitle})`),
    ...(note === null ? [] : row("", note)),
    ...row("Holds", holds(heldVersion, currentVersion)),
    ...row("Asked for", `${found.wanted} evidence, by ${found.wantedBy}`),
    "",
    "Evidence, strongest first",
    ...found.offered.flatMap((one, at) => offerLines(one, found.offered.slice(0, at))),
    "",
    ...nextLines(found),
    `Try it now, without touching the value: rekey consumer test ${nameOf(found, credential)}`,
  );
  return exitCodes.done;
}

const nameOf = ({ ref }: { readonly ref: string }, credential: string | undefined) =>
  credential === undefined ? ref : `${ref} --credential ${credential}`;

function holds(held: number | null, current: number | null): string {
  if (held === null) return "nothing that rekey delivered";
  return held === current ? `version ${held}, the current one` : `version ${held}; current is ${current ?? "none"}`;
}

type Offer = Shown["offered"][number];

function offerLines(offer: Offer, stronger: readonly Offer[]): readonly string[] {
  const { kind, title, strength, needsChange, isCollected, last } = offer;
  const change = needsChange ? "; the application has to be changed for it" : "";
  const head = `  ${strength.padEnd(12)} ${kind}: ${title}${isCollected ? "" : `, not asked for${change}`}`;
  if (!isCollected) return [head];
  // Once a stronger one was there, no rotation asked for this one: it lacks nothing.
  const enough = stronger.find((one) => one.isCollected && one.last?.complete === true);
  if (last === null && enough !== undefined) return [head, `               not needed: ${enough.kind} is stronger`];
  if (last === null) return [head, "               not seen yet: no rotation has asked for it"];
  const { version, complete, instances, at } = last;
  const verdict = complete ? "complete" : "incomplete";
  return [
    head,
    `               ${verdict}, version ${version}, ${instances} ${instances === 1 ? "instance" : "instances"}, ${clock(at)}`,
    ...last.lacks.flatMap((lack) => wrapAfter("               -", printable(lack), " ".repeat(17))),
  ];
}

function nextLines({ next }: Shown): readonly string[] {
  if (next === null) return ["It gives the strongest evidence that there is."];
  const change = next.needsChange ? "; the application has to answer for it" : "; the application stays as it is";
  return [
    `The next stronger one is ${next.kind}, ${next.strength}${change}. In its manifest, corrected to what is so:`,
    ...next.snippet
      .trimEnd()
      .split("\n")
      .map((line) => `    ${line}`),
    "",
  ];
}

export interface TestOptions extends ConsumerOptions {
  readonly timeout?: number;
}

/** `rekey consumer test` */
export async function testConsumer(io: Io, consumer: string, options: TestOptions): Promise<ExitCode> {
  const { credential, timeout } = options;
  const client = await io.client();
  const { checkId } = await client.call("testConsumer", { params: { consumer }, body: { credential } });
  io.say(`Check ${checkId}: trying delivery and evidence; the value that is in use is not touched.`);
  const check = await waitForCheck(io, client, checkId, timeout ?? 60_000);
  io.give(check);
  const parts = partsOf(check.result);
  const marks = { ok: "ok", warn: "warn", not: "NOT", "left-out": "-" } as const;
  io.say(
    ...parts.flatMap(({ part, state, text }) => wrapPasted(`  ${marks[state].padEnd(5)}${part}`, text, " ".repeat(22))),
    ...check.findings.flatMap(findingLines),
    ...(check.state === "done"
      ? []
      : wrap(`Mend what is marked NOT, then test again: rekey consumer test ${consumer}`, "")),
  );
  return check.state === "done" ? exitCodes.done : exitCodes.failed;
}

interface Part {
  readonly part: string;
  readonly state: "ok" | "warn" | "not" | "left-out";
  readonly text: string;
}

/** What the API answers of a check of this kind; none when it failed before it tried anything. */
function partsOf(result: unknown): readonly Part[] {
  return (result as { readonly parts?: readonly Part[] } | null)?.parts ?? [];
}
