import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orders as sequences, placeOf, type Order, type Phase } from "../../domain/order.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { bringTo, loginsOf, meet, named, troubles, type Login, type Moment, type Named } from "./scene.ts";

let bench: StepBench;
const measured = new Map<string, number[]>();

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(async () => {
  await bench.close();
  for (const [what, times] of measured) {
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
    process.stdout.write(`${what}: ${sorted.length} refusals, median ${at(0.5)} ms, longest ${at(1)} ms\n`);
  }
});

const moments: Moment[] = (["overlap", "single-slot"] as const).flatMap((order) => {
  const phases = sequences[order].filter((phase) => phase !== "closed");
  const back = phases.filter(
    (phase) => placeOf(order, phase) <= placeOf(order, order === "overlap" ? "disabled" : "drained"),
  );
  return [
    { order },
    ...phases.map((phase) => ({ order, phase })),
    ...back.flatMap((phase) => [0, 1, 2, 4].map((undone) => ({ order, phase, undone }))),
  ];
});

const made = (order: Order, phase: Phase): boolean =>
  placeOf(order, phase) >= placeOf(order, order === "overlap" ? "issued" : "cut");

/** All of them by hand: REKEY_TEST_EMERGENCY=all. Otherwise each moment once, with what can be asked then in turn. */
const isAll = process.env["REKEY_TEST_EMERGENCY"] === "all";

const cases = moments.flatMap((moment, place) => {
  const all = named
    .filter((name) => name === "former" || (moment.phase !== undefined && made(moment.order, moment.phase)))
    .flatMap((name) => [true, false].map((contain) => ({ moment, name, contain })));
  return isAll ? all : all.filter((_, at) => at === place % all.length);
});

const title = ({ moment, name, contain }: (typeof cases)[number]) => {
  const { order, phase = "no rotation", undone } = moment;
  const back = undone === undefined ? "" : `, ${undone} parts undone`;
  return `${order}, ${phase}${back}: the ${name === "both" ? "former and the candidate" : name}, ${contain ? "contain-first" : "continuity-first"}`;
};

describe("an emergency in each phase of each order", () => {
  it.each(cases.map((one) => ({ ...one, title: title(one) })))("$title", async ({ moment, name, contain }) => {
    const registered = await bench.register({ order: moment.order });
    try {
      await bringTo(bench, registered, moment);
      const logins = await loginsOf(bench, registered);
      const versions = versionsOf(logins, name, moment);
      const { declared, refusedAfterMs } = await meet(bench, registered, { versions, contain });
      expect(await troubles(bench, registered, logins, declared.versions)).toEqual([]);
      const what = `${contain ? "contain-first" : "continuity-first"}, ${declared.how}`;
      measured.set(what, [...(measured.get(what) ?? []), ...refusedAfterMs.values()]);
    } finally {
      await registered.shop.close();
    }
  });
});

/** By number: of an open rotation the last one is the candidate. */
function versionsOf(logins: readonly Login[], name: Named, { phase }: Moment): readonly number[] {
  const numbers = logins.map(({ number }) => number);
  if (phase === undefined || name === "both") return numbers;
  return name === "former" ? [1] : [2];
}
