import { setTimeout as sleep } from "node:timers/promises";
import { version, type Answer } from "../api/client.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { printable } from "./table.ts";
import { wrapPasted } from "./wrap.ts";

type Look = Answer<"showDoctor">["looks"][number];

/** `rekey doctor`: all that is not as it should be, worst first, each with what to do. Ends in bounded time. */
export async function doctor(io: Io): Promise<ExitCode> {
  const client = await io.client();
  const { checkId: check, limitMs } = await client.call("startDoctor", {});
  const { version: api } = await client.call("health", {});
  const end = performance.now() + limitMs;
  let found = await client.call("showDoctor", { params: { check } });
  while (!found.isComplete && performance.now() < end) {
    await sleep(300, undefined, { signal: io.signal });
    found = await client.call("showDoctor", { params: { check } });
  }
  const looks = api === version ? found.looks : [...found.looks, otherRelease(api)];
  io.give({ ...found, looks });
  io.say(...looks.flatMap(lines), "", countLine(looks));
  if (looks.some(({ state }) => state === "bad")) return exitCodes.failed;
  return looks.some(({ state }) => state === "waits") ? exitCodes.person : exitCodes.done;
}

const otherRelease = (api: string): Look => ({
  about: "Command line",
  state: "warn",
  text: `It is rekey ${version}, and the API is ${api}. Use the command line of the API's release.`,
});

function lines({ about, state, text, mend }: Look): readonly string[] {
  const todo = mend === undefined ? [] : mend.split("\n").map((line) => `        ${printable(line)}`);
  return [`${state.padEnd(5)} ${printable(about)}`, ...wrapPasted("", text, "      "), ...todo];
}

function countLine(looks: readonly Look[]): string {
  const count = (state: Look["state"]) => looks.filter((one) => one.state === state).length;
  const waits = count("waits");
  const parts = [
    `${count("bad")} bad`,
    `${waits} ${waits === 1 ? "waits" : "wait"} for a person`,
    `${count("warn")} to see to`,
    `${count("ok")} well`,
  ];
  return `${parts.join(", ")}.`;
}
