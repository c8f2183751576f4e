import { expect, it } from "vitest";
import { fileOn } from "./definition.ts";
import { SimulatedDisk, simulatedFileSystem } from "./simulated-file-system.ts";
import { contextWith, deliveryOf, trialDigestKey } from "./trial.ts";

const folder = "/srv/app";
const path = `${folder}/app.env`;

/** A writer that goes exactly as far as it is told. */
class Puppet {
  readonly ended: Promise<string>;
  #pending: { readonly call: string; readonly go: () => void } | undefined;
  #isEnded = false;
  #changed = (): void => undefined;

  constructor(disk: SimulatedDisk, number: number) {
    const gate = async (call: string): Promise<void> =>
      new Promise((go) => {
        this.#pending = { call, go };
        this.#changed();
      });
    const fs = simulatedFileSystem(disk, String(number), gate, { isReplaceSplit: true });
    this.ended = this.#deliver(fs, number).finally(() => {
      this.#isEnded = true;
      this.#changed();
    });
  }

  async #deliver(fs: ReturnType<typeof simulatedFileSystem>, number: number): Promise<string> {
    const config = { path, format: "dotenv", keys: { PASSWORD: "password" } } as const;
    const opening = {
      config,
      allowed: { roots: [folder], reloads: {} },
      consumer: "con_test",
      digestKey: trialDigestKey,
    };
    const session = await fileOn(fs).open(opening, contextWith());
    try {
      await session.deliver(deliveryOf(number, `value-${number}`));
      return "done";
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : "unknown";
    }
  }

  /** Until its next call begins so; it has then not been made. */
  async upTo(call: string): Promise<void> {
    while (!this.#isEnded) {
      const pending = this.#pending;
      if (pending === undefined) {
        await new Promise<void>((resolve) => (this.#changed = resolve));
        continue;
      }
      if (pending.call.startsWith(call)) return;
      this.#pending = undefined;
      pending.go();
    }
  }

  /** Makes the call it stands before, then goes on. */
  async past(call: string, next: string): Promise<void> {
    await this.upTo(call);
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.go();
    await this.upTo(next);
  }
}

/**
 * Two numbers, each tried twice. It would be enough to compare numbers if the second try of 5 could not make the side
 * file go back for a moment, in which the first takes it for its own turn.
 */
it("invariant 7: a turn belongs to one try, so that another try of the same number does not lend it", async () => {
  const disk = new SimulatedDisk();
  disk.write(path, "PASSWORD=before\n");
  const [five, fiveAgain, six, sixAgain] = [5, 5, 6, 6].map((number) => new Puppet(disk, number)) as [
    Puppet,
    Puppet,
    Puppet,
    Puppet,
  ];
  const side = ".app.env.rekey";

  // Five has its turn and is about to stage the new file.
  await five.past(`rename ${side}`, "read app.env");
  await five.past("read app.env", "make");
  // Its twin has staged its own turn, and has not yet published it.
  await fiveAgain.upTo(`rename ${side}`);
  // Six publishes and lists; what five stages from here on is not in the list.
  await six.past(`rename ${side}`, "unlink");
  await fiveAgain.past(`rename ${side}`, "list");
  await five.upTo("replace");
  await six.past("unlink", `read ${side}`);
  await sixAgain.past(`rename ${side}`, "list");
  await six.upTo("nothing");
  await five.upTo("nothing");
  expect(disk.text(path)).not.toContain("value-5");
  await fiveAgain.upTo("nothing");
  await sixAgain.upTo("nothing");

  expect(disk.text(path)).toBe("PASSWORD=value-6\n");
  expect(await Promise.all([five, fiveAgain, six, sixAgain].map(async (each) => each.ended))).toEqual([
    "claim_outdated",
    "claim_outdated",
    "done",
    "done",
  ]);
});

it("invariant 7: a newer delivery that has nothing to change is done only when no older one can still come", async () => {
  const disk = new SimulatedDisk();
  disk.write(path, "PASSWORD=value-6\n");
  const [five, six] = [new Puppet(disk, 5), new Puppet(disk, 6)];
  const side = ".app.env.rekey";

  // Five has seen no newer number; six publishes; five publishes over it.
  await five.upTo(`rename ${side}`);
  await six.past(`rename ${side}`, "list");
  await five.past(`rename ${side}`, "list");
  await six.upTo("nothing");
  await five.upTo("nothing");

  expect(disk.text(path)).toBe("PASSWORD=value-6\n");
  expect(await Promise.all([five.ended, six.ended])).toEqual(["claim_outdated", "done"]);
});
