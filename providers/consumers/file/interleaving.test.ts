import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RekeyError } from "../../../domain/errors.ts";
import type { FileConfig } from "./config.ts";
import { fileOn } from "./definition.ts";
import { dotenv } from "./dotenv.ts";
import { SimulatedDisk, simulatedFileSystem, type Faults, type Gate } from "./simulated-file-system.ts";
import { contextWith, deliveryOf, trialDigestKey } from "./trial.ts";

const folder = "/srv/app";
const path = `${folder}/app.env`;
const side = `${folder}/.app.env.rekey`;
const start = "# mine\nA=a0\nB=b0\nHAND=0\n";

/** One delivery of a number, tried by one or two workers that know nothing of each other. */
interface Try {
  readonly number: number;
  readonly key: "A" | "B";
  /** Dies before this step, leaving all as it is; past its last step, lives. */
  readonly diesAt: number;
  /** Stands still before this step, as by SIGSTOP, until all others have ended or stand still too. */
  readonly stopsAt: number;
}

interface Ending {
  readonly by: Try;
  readonly result: "done" | "died" | RekeyError;
}

class Died extends Error {}

function configOf(key: string): FileConfig {
  return { path, format: "dotenv", keys: { [key]: "password" } };
}

/** Lets those that were stopped go on, one at a time, when nobody else is left to run. */
class Stops {
  readonly #waiting: (() => void)[] = [];
  #running: number;

  constructor(running: number) {
    this.#running = running;
  }

  async stop(): Promise<void> {
    return new Promise((resume) => {
      this.#waiting.push(resume);
      this.leave();
    });
  }

  leave(): void {
    this.#running--;
    if (this.#running > 0) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#running++;
    next();
  }
}

async function attempt(disk: SimulatedDisk, by: Try, schedule: Gate, stops: Stops, faults: Faults): Promise<Ending> {
  let steps = 0;
  const gate: Gate = async (call) => {
    const step = steps++;
    if (step === by.stopsAt) await stops.stop();
    if (step >= by.diesAt) throw new Died();
    await schedule(`${by.number}${by.key} ${call}`);
  };
  const fs = simulatedFileSystem(disk, String(by.number), gate, faults);
  const opening = {
    config: configOf(by.key),
    allowed: { roots: [folder], reloads: {} },
    consumer: "con_test",
    digestKey: trialDigestKey,
  };
  const session = await fileOn(fs).open(opening, contextWith());
  try {
    await session.deliver(deliveryOf(by.number, `value-${by.number}`));
    return { by, result: "done" };
  } catch (error) {
    // What died has no way to clean up either: each later step of it fails as well.
    if (steps > by.diesAt) return { by, result: "died" };
    if (error instanceof RekeyError) return { by, result: error };
    throw error;
  } finally {
    stops.leave();
  }
}

function numberIn(bytes: Buffer): number {
  return (JSON.parse(bytes.toString()) as { number: { number: number } }).number.number;
}

/** Invariants 7 and 12, judged from what happened on the disk. */
function judge(disk: SimulatedDisk, endings: readonly Ending[], hands: readonly string[]): void {
  let highest = 0;
  let published = 0;
  for (const { by, to, bytes } of disk.renamed) {
    if (to === side) published = numberIn(bytes);
    if (to !== path) continue;
    // Never back to an older number, and never ahead of what the side file says.
    expect(Number(by), "goes back").toBeGreaterThanOrEqual(highest);
    expect(published, "is ahead of its number").toBeGreaterThanOrEqual(Number(by));
    highest = Number(by);
  }
  const text = disk.text(path);
  expect(dotenv.foreign(text, ["A", "B", "HAND"])).toEqual(dotenv.foreign(start, ["A", "B", "HAND"]));
  // Each key is what the highest number that was written for it made it.
  const written = disk.renamed.filter(({ to }) => to === path).map(({ by }) => Number(by));
  for (const key of ["A", "B"] as const) {
    const last = Math.max(
      0,
      ...endings.filter(({ by }) => by.key === key && written.includes(by.number)).map(({ by }) => by.number),
    );
    expect(dotenv.read(text, [key]), "lost a key").toEqual({
      [key]: last === 0 ? `${key.toLowerCase()}0` : `value-${last}`,
    });
  }
  for (const { by, result } of endings) {
    if (result === "done") expect(written).toContain(by.number);
    if (result instanceof RekeyError)
      expect(`${result.name} ${result.code}`).toMatch(/^(PermanentError claim_outdated|TransientError target_drift)$/);
  }
  const newest = Math.max(...endings.map(({ by }) => by.number));
  for (const { by, result } of endings)
    if (by.number === newest && result instanceof RekeyError) expect(result.name).toBe("TransientError");
  if (hands.length > 0) expect(dotenv.read(text, ["HAND"]), "lost an edit").toEqual({ HAND: hands.at(-1) });
}

const never = 1_000_000;
const atStep = fc.option(fc.nat(30), { nil: never });

const tries = fc
  .uniqueArray(fc.record({ number: fc.integer({ min: 1, max: 5 }), key: fc.constantFrom("A", "B") }), {
    selector: ({ number }) => number,
    minLength: 1,
    maxLength: 3,
  })
  .chain((deliveries) => {
    const troubles = fc.array(fc.record({ diesAt: atStep, stopsAt: atStep }), { minLength: 4, maxLength: 4 });
    return fc.tuple(fc.array(fc.constantFrom(...deliveries), { maxLength: 1 }), troubles).map(([again, trouble]) =>
      [...deliveries, ...again].map((each, index): Try => ({
        diesAt: never,
        stopsAt: never,
        ...trouble[index],
        ...each,
      })),
    );
  });

function property(faults: Faults, handCount: number): fc.IAsyncProperty<[fc.Scheduler, Try[]]> {
  return fc.asyncProperty(fc.scheduler(), tries, async (scheduler, all) => {
    const disk = new SimulatedDisk();
    disk.write(path, start);
    const schedule: Gate = async (call) => scheduler.schedule(Promise.resolve(), call);
    const stops = new Stops(all.length);
    const hands = Array.from({ length: handCount }, (_, index) => String(index + 1));
    const editing = (async () => {
      for (const hand of hands) {
        await schedule(`hand ${hand}`);
        disk.write(path, disk.text(path).replace(/HAND=.*/, `HAND=${hand}`));
      }
    })();
    const endings = await scheduler.waitFor(
      Promise.all(all.map(async (each) => attempt(disk, each, schedule, stops, faults))),
    );
    await scheduler.waitFor(editing);
    judge(disk, endings, hands);
  });
}

const runs = { numRuns: 2000 };

describe("writers of one file, in any order of their steps, some of them dying", () => {
  it("invariant 7: the file never goes back, whatever stands between comparing and renaming", async () => {
    await fc.assert(property({ isReplaceSplit: true }, 0), runs);
  });

  it("invariant 12: an edit of another key by hand is never lost", async () => {
    await fc.assert(property({}, 3), runs);
  });
});

/** Each takes away one thing that the proof in README.md rests on. The first two properties must then fail. */
const sabotages: Readonly<Record<string, { readonly faults: Faults; readonly hands: number }>> = {
  "stages of older tries are left": {
    faults: { isReplaceSplit: true, around: (fs) => ({ ...fs, unlink: async () => Promise.resolve() }) },
    hands: 0,
  },
  "the side file is not read again after staging": {
    faults: {
      isReplaceSplit: true,
      around(fs) {
        let ours: Buffer | undefined;
        return {
          ...fs,
          read: async (each) => (each === side && ours !== undefined ? ours : fs.read(each)),
          rename: async (from, to) => {
            const bytes = await fs.read(from);
            await fs.rename(from, to);
            ours = bytes;
          },
        };
      },
    },
    hands: 0,
  },
  "the number in the side file is not looked at": {
    faults: {
      isReplaceSplit: true,
      around(fs) {
        let isPublished = false;
        return {
          ...fs,
          read: async (each) => (each === side && !isPublished ? undefined : fs.read(each)),
          rename: async (from, to) => {
            await fs.rename(from, to);
            isPublished = true;
          },
        };
      },
    },
    hands: 0,
  },
  "the folder is listed before the side file is written": {
    faults: {
      isReplaceSplit: true,
      around(fs) {
        let early: readonly string[] = [];
        return {
          ...fs,
          rename: async (from, to) => {
            early = await fs.list(folder);
            await fs.rename(from, to);
          },
          list: async () => Promise.resolve(early),
        };
      },
    },
    hands: 0,
  },
  "the file is not compared before the rename": {
    faults: {
      around: (fs) => ({
        ...fs,
        replace: async (staged, target) => fs.replace(staged, target, await fs.read(target)),
      }),
    },
    hands: 3,
  },
};

describe("the two properties would notice that", () => {
  it.each(Object.entries(sabotages))("%s", async (_name, { faults, hands }) => {
    const found = await fc.check(property(faults, hands), { seed: 1, numRuns: 20_000, endOnFailure: true });
    expect(found.failed).toBe(true);
    expect(String(found.errorInstance)).toMatch(/goes back|lost an edit|lost a key|ahead/);
  });
});
