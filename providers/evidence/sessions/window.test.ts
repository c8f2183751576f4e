import fc from "fast-check";
import { expect, test } from "vitest";
import { latestWindow } from "./window.ts";

const sampleAt = (ms: number) => ({ at: new Date(ms).toISOString(), sessions: {} });
const times = (samples: readonly { at: string }[]) => samples.map(({ at }) => Date.parse(at));

test("the window is the shortest end of the samples that reaches over the time asked", () => {
  const window = latestWindow([0, 10, 20, 30, 40].map(sampleAt), 20);
  expect(times(window.samples)).toEqual([20, 30, 40]);
  expect(window).toMatchObject({ reaches: true, spanMs: 20 });
});

test("between two looks the window begins with the earlier one, never with the later", () => {
  expect(times(latestWindow([0, 10, 20].map(sampleAt), 15).samples)).toEqual([0, 10, 20]);
});

test.each([
  ["no sample", [], 0],
  ["one sample", [5], 0],
  ["samples over too short a time", [0, 10, 19], 20],
])("%s reaches over nothing", (_name, at, observeForMs) => {
  expect(latestWindow(at.map(sampleAt), observeForMs).reaches).toBe(false);
});

test("two samples of one instant are enough where no time is asked", () => {
  expect(latestWindow([sampleAt(5), sampleAt(5)], 0)).toMatchObject({ reaches: true, spanMs: 0 });
});

test("a clock that ran back starts the window anew", () => {
  const window = latestWindow([0, 50_000, 1_000, 2_000].map(sampleAt), 30_000);
  expect(times(window.samples)).toEqual([1_000, 2_000]);
  expect(window.reaches).toBe(false);
});

test("a time that cannot be read is in no window", () => {
  const unreadable = { at: "soon", sessions: {} };
  expect(latestWindow([sampleAt(0), unreadable, sampleAt(9), sampleAt(10)], 10).reaches).toBe(false);
  expect(latestWindow([sampleAt(0), sampleAt(10), unreadable], 10)).toEqual({ samples: [], reaches: false, spanMs: 0 });
});

test("a window that reaches leaves out nothing since its beginning", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 200 }), (gaps, observeForMs) => {
      let now = 0;
      const samples = gaps.map((gap) => sampleAt((now += gap)));
      const window = latestWindow(samples, observeForMs);
      expect(window.samples).toEqual(samples.slice(samples.length - window.samples.length));
      const spansAll = samples.length > 1 && now - (gaps[0] ?? 0) >= observeForMs;
      expect(window.reaches).toBe(spansAll);
    }),
  );
});
