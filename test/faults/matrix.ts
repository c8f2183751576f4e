// The crash matrix: kills the worker at each point of each step, starts another one, waits for the end, asks the oracle.
//   npm run test:matrix                      runs all of it
//   npm run test:matrix -- --list            prints the cases and, last, their count
//   npm run test:matrix -- --only issue:B2   runs one, or those that begin so
import { parseArgs } from "node:util";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld } from "../harness/world.ts";
import { openLane, replaceWorker, runCrashCase, type Lane } from "./crash-case.ts";
import { postgresSubject } from "./crash-subject.ts";
import { matrixCases, type MatrixCase } from "./matrix-cases.ts";

const laneCount = 3;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: { list: { type: "boolean" }, only: { type: "string", multiple: true }, lanes: { type: "string" } },
});
const chosen = matrixCases.filter(
  ({ name }) => values.only?.some((only) => name === only || name.startsWith(`${only}:`)) ?? true,
);

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

async function runAll(cases: readonly MatrixCase[]): Promise<number> {
  const beganAt = performance.now();
  const waiting = [...cases];
  const lanes = Math.min(Number(values.lanes ?? laneCount), cases.length);
  let passed = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      const world = await openWorld();
      try {
        const lane = await openLane(world);
        for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
          const breaches = await tell(lane, one);
          if (breaches.length === 0) passed += 1;
          else await replaceWorker(lane);
        }
        await lane.close();
      } finally {
        await world.close();
      }
    }),
  );
  const failed = cases.length - passed;
  say(`took ${((performance.now() - beganAt) / 1_000).toFixed(0)} s in ${lanes} lanes`);
  say(`${passed} passed, ${failed} failed, 0 skipped`);
  return failed;
}

async function tell(lane: Lane, one: MatrixCase): Promise<readonly string[]> {
  const beganAt = performance.now();
  const breaches = await runCrashCase(lane, one, postgresSubject).catch((error: unknown) => [String(error)]);
  const seconds = ((performance.now() - beganAt) / 1_000).toFixed(1);
  say(`${breaches.length === 0 ? "pass" : "FAIL"}  ${one.name}  ${seconds} s`);
  for (const breach of breaches) say(`        ${breach}`);
  return breaches;
}
