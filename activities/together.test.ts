import { describe, expect, it } from "vitest";
import { together } from "./together.ts";

const how = {
  ...{ most: 10, beside: 1, keyOf: String },
  isEverybodys: () => false,
  isBusy: (error: unknown) => String(error).includes("busy"),
};

/** Calls that end when they are told to, and what each was asked. */
function held(failing: ReadonlySet<number> = new Set()) {
  const asked: (readonly number[])[] = [];
  const ends: (() => void)[] = [];
  const run = async (all: readonly number[]): Promise<readonly string[]> => {
    asked.push(all);
    await new Promise<void>((end) => ends.push(end));
    if (all.some((one) => failing.has(one))) throw new Error(`no ${all.join()}`);
    return all.map((one) => `answer ${one}`);
  };
  const next = async (): Promise<void> => {
    await expect.poll(() => ends.length).toBeGreaterThan(0);
    ends.shift()?.();
  };
  return { run, asked, next };
}

describe("calls that come at one time", () => {
  it("are made at once while nobody is asked, and by one call while somebody is", async () => {
    const { run, asked, next } = held();
    const ask = together(run, { ...how, most: 3 });
    const answers = [1, 2, 3, 4, 5].map(ask);
    expect(asked).toEqual([[1]]);
    for (let call = 0; call < 3; call += 1) await next();
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5].map((one) => `answer ${one}`));
    expect(asked).toEqual([[1], [2, 3, 4], [5]]);
  });

  it("fail alone: the others of a call that fails are asked for each by itself", async () => {
    const { run, asked, next } = held(new Set([3]));
    const ask = together(run, how);
    const answers = Promise.allSettled([1, 2, 3, 4].map(ask));
    for (let call = 0; call < 5; call += 1) await next();
    const told = (await answers).map((one) => (one.status === "fulfilled" ? one.value : String(one.reason)));
    expect(told).toEqual(["answer 1", "answer 2", "Error: no 3", "answer 4"]);
    expect(asked).toEqual([[1], [2, 3, 4], [2], [3], [4]]);
  });

  it("all fail where the error is everybody's: what was asked may have been done", async () => {
    const { run, asked, next } = held(new Set([3]));
    const ask = together(run, { ...how, isEverybodys: () => true });
    const answers = Promise.allSettled([1, 2, 3].map(ask));
    for (let call = 0; call < 2; call += 1) await next();
    expect((await answers).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(asked).toEqual([[1], [2, 3]]);
  });

  it("are made beside each other, so many as may be", async () => {
    const { run, asked, next } = held();
    const ask = together(run, { ...how, beside: 2 });
    const answers = [1, 2, 3].map(ask);
    expect(asked).toEqual([[1], [2]]);
    for (let call = 0; call < 3; call += 1) await next();
    await Promise.all(answers);
    expect(asked).toEqual([[1], [2], [3]]);
  });

  it("are never two of one key", async () => {
    const { run, asked, next } = held();
    const ask = together(run, how);
    const answers = [1, 2, 2, 3, 2].map(ask);
    for (let call = 0; call < 4; call += 1) await next();
    expect(await Promise.all(answers)).toEqual([1, 2, 2, 3, 2].map((one) => `answer ${one}`));
    expect(asked).toEqual([[1], [2, 3], [2], [2]]);
  });

  it("go on while those that somebody else is busy with are waited for", async () => {
    const locked = new Set([1, 2, 3]);
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const run = async (all: readonly number[], mayWait: boolean): Promise<readonly number[]> => {
      await Promise.resolve();
      if (!all.some((one) => locked.has(one))) return all;
      if (!mayWait) throw new Error("busy");
      await opened;
      return all;
    };
    const ask = together(run, { ...how, beside: 2 });
    const waited = [1, 2, 3].map(ask);
    expect(await Promise.all([4, 5, 6, 7].map(ask))).toEqual([4, 5, 6, 7]);
    expect(await Promise.all([8, 9].map(ask))).toEqual([8, 9]);
    open();
    expect(await Promise.all(waited)).toEqual([1, 2, 3]);
  });
});
