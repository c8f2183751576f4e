import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Client } from "../api/client.ts";
import { CliError } from "./cli-error.ts";
import { exitCodes } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { printable } from "./table.ts";
import { wrapPasted } from "./wrap.ts";

/** Polls a check until a worker has answered it. */
export async function waitForCheck(
  io: Io,
  client: Client,
  check: string,
  limitMs: number,
): Promise<Answer<"showCheck">> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await client.call("showCheck", { params: { check } });
    if (found.state !== "pending") return found;
    if (performance.now() > end)
      throw new CliError(
        `Check ${check} has no answer yet`,
        "See that a worker runs (`rekey worker`); then try again.",
        exitCodes.timeOut,
      );
    await sleep(200, undefined, { signal: io.signal });
  }
}

type Finding = Answer<"showCheck">["findings"][number];

export function findingLines(finding: Finding): readonly string[] {
  return [`  ${finding.title}`, ...detailLines(finding)];
}

/** Without the title of the code, which is of all that can mean: where somebody typed something, what is wrong leads. */
export function detailLines({ detail, mend }: Pick<Finding, "detail" | "mend">): readonly string[] {
  return [
    ...wrapPasted("", detail, "    "),
    ...(mend === undefined ? [] : ["    To mend it:", ...mend.split("\n").map((line) => `      ${printable(line)}`)]),
  ];
}
