import type { Command, Option } from "commander";
import type { Answer } from "../api/client.ts";
import { CliError } from "./cli-error.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io, Work } from "./io.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { findingLines, waitForCheck } from "./wait-for-check.ts";
import { wrap } from "./wrap.ts";

type Shown = Answer<"showNotice">;

interface ListOptions {
  readonly team?: string;
  readonly limit?: number;
}

const time = (at: string | null): string => (at === null ? "never" : clock(at));

function stateOf({ hasSecret, pending, lastCode, lastSentAt, lastGivenUpAt }: Shown): string {
  if (!hasSecret) return "no secret";
  // It has taken nothing since.
  if (pending === 0 && lastGivenUpAt !== null && (lastSentAt === null || lastSentAt < lastGivenUpAt)) return "given up";
  if (pending === 0) return lastSentAt === null ? "nothing to tell yet" : "all told";
  return lastCode === null ? `${pending} to tell` : `${pending} to tell, ${lastCode}`;
}

/** `rekey notice list` */
async function listNotices(io: Io, { team, limit }: ListOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listNotices", { query: { team, limit } });
  io.give(answer);
  const rows = answer.notices.map((one) => [one.ref, one.format, one.of, stateOf(one), time(one.lastSentAt)]);
  if (rows.length === 0) io.say(emptyList("notice", { team }, "Register one of kind Notice: rekey apply -f FILE"));
  else io.say(...table([["NOTICE", "FORMAT", "OF", "STATE", "LAST TOLD (UTC)"], ...rows]));
  return exitCodes.done;
}

/** `rekey notice show` */
async function showNotice(io: Io, notice: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showNotice", { params: { notice } });
  io.give(found);
  const { ref, format, url, events, of: whose, formerUntil, lastSentAt, lastGivenUpAt, advice } = found;
  const hears = whose === "all" ? "every team" : `what team ${ref.split("/")[0] ?? ""} may see`;
  io.say(
    `${ref}: ${format}${url === null ? ", to an address that is its secret" : ` to ${printable(url)}`}`,
    ...wrap(`is told of ${events.join(", ")}; of ${hears}`, "  "),
    `  ${stateOf(found)}; last told ${time(lastSentAt)}`,
    ...(found.hasSecret ? [] : ["  Apply its manifest with secretFrom again."]),
    ...(advice === null ? [] : wrap(advice, "  ")),
    ...(formerUntil === null ? [] : [`  its former secret signs as well until ${clock(formerUntil)}`]),
    ...(lastGivenUpAt === null
      ? []
      : [`  last given up ${clock(lastGivenUpAt)}: what had waited too long is not told any more`]),
    `  Try it: rekey notice test ${ref}; see what it was told: rekey notice deliveries ${ref}`,
  );
  return exitCodes.done;
}

/** `rekey notice deliveries` */
async function listDeliveries(io: Io, notice: string, { limit }: { limit?: number }): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listNoticeDeliveries", { params: { notice }, query: { limit } });
  io.give(answer);
  const rows = answer.deliveries.map((one) => [
    clock(one.at),
    one.event,
    one.state,
    String(one.attempts),
    `${one.lastCode ?? ""}${one.lastStatus === null ? "" : ` ${one.lastStatus}`}`,
    one.nextAt === null ? "" : clock(one.nextAt),
    one.text,
  ]);
  if (rows.length === 0)
    io.say(`${answer.ref} was told nothing yet, tests aside. Try it: rekey notice test ${answer.ref}`);
  else io.say(...table([["AT (UTC)", "EVENT", "STATE", "TRIES", "LAST", "NEXT", "TEXT"], ...rows]));
  return exitCodes.done;
}

interface TestOptions {
  readonly timeout?: number;
}

const usualWaitMs = 60_000;

/** `rekey notice test` */
async function testNotice(io: Io, notice: string, { timeout }: TestOptions): Promise<ExitCode> {
  const client = await io.client();
  const { checkId } = await client.call("testNotice", { params: { notice } });
  const check = await waitForCheck(io, client, checkId, timeout ?? usualWaitMs);
  io.give(check);
  const result = check.result as {
    readonly code: string;
    readonly status: number | null;
    readonly text: string;
  } | null;
  if (check.state === "done") {
    io.say("It has taken a notice that says that it is a test.");
    return exitCodes.done;
  }
  if (result === null) {
    io.say(...check.findings.flatMap(findingLines));
    return exitCodes.failed;
  }
  const status = result.status === null ? "" : `, status ${result.status}`;
  const [what = "", next = ""] = partsOf(result.text);
  throw new CliError(`It has not taken the test (${result.code}${status}). ${what}`, next, exitCodes.failed);
}

/** How it ended, without its full stop, and what to do about it. */
const partsOf = (text: string): readonly string[] => /^(.*?)\. (.*)$/.exec(text)?.slice(1) ?? [text];

/** The commands about endpoints that are told what happens. */
export function addNoticeCommands(
  program: Command,
  act: (work: Work) => Promise<void>,
  options: { readonly limit: () => Option; readonly timeout: () => Option },
): void {
  const notice = program.command("notice").description("endpoints that are told what happens");
  const which = ["<notice>", "team/name"] as const;
  notice
    .command("list")
    .description("all of them, and whether what they are told gets through")
    .option("--team <name>", "of this team only")
    .addOption(options.limit())
    .action((given: ListOptions) => act((io) => listNotices(io, given)));
  notice
    .command("show")
    .description("what it is told, of whom, and what is wrong with it")
    .argument(...which)
    .action((name: string) => act((io) => showNotice(io, name)));
  notice
    .command("test")
    .description("send it a notice that says that it is a test")
    .argument(...which)
    .addOption(options.timeout())
    .action((name: string, given: TestOptions) => act((io) => testNotice(io, name, given)));
  notice
    .command("deliveries")
    .description("what it was told and is to be told, newest first, and how each attempt ended")
    .argument(...which)
    .addOption(options.limit())
    .action((name: string, given: { limit?: number }) => act((io) => listDeliveries(io, name, given)));
}
