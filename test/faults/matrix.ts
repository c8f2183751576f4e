// The crash matrix: kills the worker at each point of each step, starts another one, waits for the end, asks the oracle.
//   npm run test:matrix                      runs all of it
//   npm run test:matrix -- --short           of further issuers only what they do themselves
//   npm run test:matrix -- --list            prints the cases and, last, their count
//   npm run test:matrix -- --only issue:B2   runs one, or those that begin so; --only vault/ those of an issuer
import { parseArgs } from "node:util";
import { failIfRequired } from "../harness/needs.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld } from "../harness/world.ts";
import { openLane, replaceWorker, runCrashCase, type Lane } from "./crash-case.ts";
import { crashIssuers, type OpenIssuer } from "./crash-issuers.ts";
import { atTheIssuer, matrixCases, mintedCases, type MatrixCase } from "./matrix-cases.ts";

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
const isMeant = ({ name }: MatrixCase): boolean =>
  values.only?.some((only) => name === only || name.startsWith(only.endsWith("/") ? only : `${only}:`)) ?? true;
const minted = values.short === true ? mintedCases.filter(atTheIssuer) : mintedCases;
const chosen = [...matrixCases, ...minted].filter(isMeant);

if (values.list === true) {
  for (const { name, order, abortIn, abortsAfter } of chosen) {
    const isAborted = abortsAfter === true ? ", aborted after the crash" : "";
    say(`${name}  ${order}${abortIn === undefined ? isAborted : `, aborted when ${abortIn}`}`);
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

/** The cases whose issuer is here. What is not is said, and fails where all is required. */
function possible(cases: readonly MatrixCase[]): readonly MatrixCase[] {
  const lacks = new Set(cases.flatMap(({ issuer }) => crashIssuers[issuer].lacks ?? []));
  for (const reason of lacks) {
    failIfRequired(reason);
    say(`skip  ${reason}`);
  }
  return cases.filter(({ issuer }) => crashIssuers[issuer].lacks === undefined);
}

async function runAll(cases: readonly MatrixCase[]): Promise<number> {
  const beganAt = performance.now();
  const here = possible(cases);
  const issuers = new Map<string, OpenIssuer>();
  try {
    for (const { issuer } of here) if (!issuers.has(issuer)) issuers.set(issuer, await crashIssuers[issuer].open());
    const passed = await runIn(Math.min(Number(values.lanes ?? laneCount), here.length), here, issuers);
    const failed = here.length - passed;
    say(`took ${((performance.now() - beganAt) / 1_000).toFixed(0)} s`);
    say(`${passed} passed, ${failed} failed, ${cases.length - here.length} skipped`);
    return failed;
  } finally {
    for (const issuer of issuers.values()) await issuer.close();
  }
}

/** How many passed. */
async function runIn(
  lanes: number,
  cases: readonly MatrixCase[],
  issuers: ReadonlyMap<string, OpenIssuer>,
): Promise<number> {
  const waiting = [...cases];
  const open = [...issuers.values()];
  const ports = open.flatMap(({ localPorts }) => localPorts).join(",");
  const environment: Record<string, string> = ports === "" ? {} : { REKEY_EGRESS_LOCAL_PORTS: ports };
  for (const issuer of open) Object.assign(environment, issuer.environment);
  let passed = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      const world = await openWorld({ environment });
      try {
        const lane = await openLane(world);
        for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
          const breaches = await tell(lane, one, issuers);
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

async function tell(lane: Lane, one: MatrixCase, issuers: ReadonlyMap<string, OpenIssuer>): Promise<readonly string[]> {
  const beganAt = performance.now();
  const subject = issuers.get(one.issuer)?.subject;
  if (subject === undefined) throw new Error(`${one.issuer} was not opened`);
  const breaches = await runCrashCase(lane, one, subject).catch((error: unknown) => [String(error)]);
  const seconds = ((performance.now() - beganAt) / 1_000).toFixed(1);
  say(`${breaches.length === 0 ? "pass" : "FAIL"}  ${one.name}  ${seconds} s`);
  for (const breach of breaches) say(`        ${breach}`);
  return breaches;
}
