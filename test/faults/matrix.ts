// The crash matrix: kills the worker at each point of each step, starts another one, waits for the end, asks the oracle.
// In further rows nobody dies: a call was done and its answer is lost.
//   npm run test:matrix                      runs all of it
//   npm run test:matrix -- --short           of further issuers and places of custody only what they do themselves
//   npm run test:matrix -- --list            prints the cases and, last, their count
//   npm run test:matrix -- --only issue:B2   runs one, or those that begin so; --only vault/ those of an issuer, --only
//                                            custody-aws/ those with the values there, --only emergency/ those in which
//                                            something has leaked
import { parseArgs } from "node:util";
import { failIfRequired } from "../harness/needs.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld } from "../harness/world.ts";
import { openLane, replaceWorker, runCrashCase, type Lane } from "./crash-case.ts";
import { runEmergencyCase } from "./emergency-case.ts";
import { runLossCase } from "./loss-case.ts";
import { custodyCases, matrixCases, mintedCases, type MatrixCase } from "./matrix-cases.ts";
import { emergencyCases, type EmergencyCase } from "./matrix-emergencies.ts";
import { lossCases, type LossCase } from "./matrix-losses.ts";
import { lacksOf, openServers, type MatrixServers } from "./matrix-servers.ts";
import { isShort } from "./matrix-short.ts";

type Case = MatrixCase | LossCase | EmergencyCase;

const laneCount = 3;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    list: { type: "boolean" },
    short: { type: "boolean" },
    only: { type: "string", multiple: true },
    lanes: { type: "string" },
  },
});
const isMeant = ({ name }: Case): boolean =>
  values.only?.some((only) => name === only || name.startsWith(only.endsWith("/") ? only : `${only}:`)) ?? true;
const all: readonly Case[] = [...matrixCases, ...mintedCases, ...custodyCases, ...lossCases, ...emergencyCases];
const chosen = all.filter((one) => isMeant(one) && (values.short !== true || isShort(one)));

if (values.list === true) {
  for (const one of chosen) {
    const { name, order, abortIn } = one;
    const isAborted = "abortsAfter" in one ? ", aborted after the crash" : "";
    const says = "emergency" in one ? `, ${sayEmergency(one)}` : isAborted;
    say(`${name}  ${order}${abortIn === undefined ? "" : `, aborted when ${abortIn}`}${says}`);
  }
  say(`${chosen.length} cases`);
} else if (chosen.length === 0) {
  say(`No case is called ${values.only?.join(" or ")}. --list prints them.`);
  process.exitCode = 2;
} else if (hasTemporal) {
  process.exitCode = (await runAll(chosen)) > 0 ? 1 : 0;
} else {
  say(`0 passed, 0 failed, ${chosen.length} skipped`);
}

function sayEmergency({ emergency: { declared, names, contain, isFrozen, isFull } }: EmergencyCase): string {
  const times = { after: "after the crash", "at-once": "when no rotation runs" };
  const when = declared === "after" || declared === "at-once" ? times[declared] : `when ${declared}`;
  const what = names === "both" ? "both versions have leaked" : `the ${names} has leaked`;
  return `${what} ${when}, ${contain ? "contain-first" : "continuity-first"}${isFrozen === true ? ", frozen" : ""}${isFull === true ? ", without room" : ""}`;
}

/** The cases whose servers are here. What is not is said, and fails where all is required. */
function possible(cases: readonly Case[]): readonly Case[] {
  for (const reason of new Set(cases.flatMap((one) => lacksOf(one) ?? []))) {
    failIfRequired(reason);
    say(`skip  ${reason}`);
  }
  return cases.filter((one) => lacksOf(one) === undefined);
}

async function runAll(cases: readonly Case[]): Promise<number> {
  const beganAt = performance.now();
  const here = possible(cases);
  const servers = await openServers(here);
  try {
    const passed = await runIn(Math.min(Number(values.lanes ?? laneCount), here.length), here, servers);
    const failed = here.length - passed;
    say(`took ${((performance.now() - beganAt) / 1_000).toFixed(0)} s`);
    say(`${passed} passed, ${failed} failed, ${cases.length - here.length} skipped`);
    return failed;
  } finally {
    await servers.close();
  }
}

/** How many passed. */
async function runIn(lanes: number, cases: readonly Case[], servers: MatrixServers): Promise<number> {
  const waiting = [...cases];
  let passed = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      const world = await openWorld(servers.world);
      try {
        const lane = await openLane(world);
        for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
          const breaches = await tell(lane, one, servers);
          if (breaches.length === 0) passed += 1;
          else await replaceWorker(lane);
        }
        await lane.close();
      } finally {
        await world.close();
      }
    }),
  );
  return passed;
}

async function run(lane: Lane, one: Case, servers: MatrixServers): Promise<readonly string[]> {
  if ("emergency" in one) return runEmergencyCase(lane, one);
  const { subject, line } = servers.issuer(one);
  if (!("loses" in one)) return runCrashCase(lane, one, subject);
  const lossy = one.loses.at === "issuer" ? line : servers.place(one)?.line;
  if (lossy === undefined) throw new Error(`nothing can be lost on the way of ${one.name}`);
  return runLossCase(lane, one, subject, lossy.proxy);
}

async function tell(lane: Lane, one: Case, servers: MatrixServers): Promise<readonly string[]> {
  const beganAt = performance.now();
  const breaches = await run(lane, one, servers).catch((error: unknown) => [String(error)]);
  const seconds = ((performance.now() - beganAt) / 1_000).toFixed(1);
  say(`${breaches.length === 0 ? "pass" : "FAIL"}  ${one.name}  ${seconds} s`);
  for (const breach of breaches) say(`        ${breach}`);
  return breaches;
}
