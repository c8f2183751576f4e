import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { works } from "../../activities/create-activities.ts";
import { runCheck } from "../../activities/run-check.ts";
import type { StepDeps } from "../../activities/step-deps.ts";
import { contextFor, takeStepPatiently, type StepScene } from "../../activities/step-frame.ts";
import { openKeyFile } from "../../custody/key-file.ts";
import { openSigningKeys } from "../../custody/signing-key-file.ts";
import { createScrubber } from "../../custody/scrubber.ts";
import { createLog } from "../../custody/scrubbed-log.ts";
import { stepFor, type Phase, type Step } from "../../domain/order.ts";
import type { Decision } from "../../domain/hold.ts";
import type { StepAnswer } from "../../domain/standing.ts";
import { beginSteps, lockRotations } from "../../ledger/begin-steps.ts";
import { readDueChecks } from "../../ledger/checks.ts";
import { transact } from "../../ledger/database.ts";
import { hearCommands } from "../../ledger/hear-commands.ts";
import { readCases, type RotationCase } from "../../ledger/rotation-cases.ts";
import { readSettings } from "../../settings.ts";
import { openStepDeps } from "../../worker/step-deps.ts";
import { withLedger } from "./ledger.ts";
import { say } from "./say.ts";
import { readRotation, type RotationRow, type World } from "./world.ts";

/**
 * The steps without an orchestrator, in this process, on a real ledger: a test decides which attempt goes on when, so
 * that one that is late is simply one that goes on later.
 */
export interface Steps extends Pick<World, "ledger" | "custody" | "folder"> {
  readonly deps: StepDeps;
  /** Answers every check that is asked for meanwhile, as a worker does. */
  checking<T>(work: () => Promise<T>): Promise<T>;
  /** One call of a step, as the orchestrator makes it. */
  take(rotationId: string, step: Step | "undo", deps?: StepDeps): Promise<StepAnswer>;
  /** Takes step after step until the rotation is in the phase. */
  reach(rotationId: string, phase: Phase): Promise<void>;
  /** Goes on, or back, until the rotation is closed or a person is asked. */
  carry(rotationId: string): Promise<RotationCase>;
  /** An attempt that has stored its intent and has not acted yet (the point B1). It acts when its work is called with this. */
  begin(rotationId: string, step: Step | "undo"): Promise<StepScene>;
  read(rotationId: string): Promise<RotationCase>;
  /** Answers the open hold as an operator does, naming every gap, and says what it was. */
  answer(rotationId: string, decision: Decision): Promise<NonNullable<RotationRow["hold"]>>;
  close(): Promise<void>;
}

const carrier = { workflow: "rotate/bench", run: "run" };
const { signal } = new AbortController();

/** `environment`: settings of the worker besides those that it has by itself. */
export async function openSteps(environment: Readonly<Record<string, string>> = {}): Promise<Steps> {
  const folder = await mkdtemp(join(tmpdir(), "rk-bench-"));
  const keys = join(folder, "keys");
  const targets = join(folder, "targets");
  for (const each of [keys, targets]) await mkdir(each, { mode: 0o700 });
  for (const name of ["custody", "fingerprint"]) await openKeyFile(join(keys, `${name}.json`), { create: true });
  await openSigningKeys(join(keys, "audit.json"), { create: true });
  const test = await withLedger();
  const { ledger } = test;
  const scrubber = createScrubber();
  const own = { REKEY_HOME: folder, REKEY_FILE_ROOTS: targets, REKEY_LOG_LEVEL: "silent" };
  const settings = readSettings({ ...own, ...environment });
  const deps = await openStepDeps(settings, ledger, scrubber, createLog({ level: "silent", scrubber }), () =>
    Promise.resolve("none"),
  );
  const steps: Steps = {
    ...{ deps, ledger, folder, custody: deps.custody },
    async checking(work) {
      let isOver = false;
      const answering = (async () => {
        while (!isOver) {
          for (const { checkId } of await readDueChecks(ledger, 10)) await runCheck(deps, checkId, signal);
          await pause(20);
        }
      })();
      try {
        return await work();
      } finally {
        isOver = true;
        await answering;
      }
    },
    async take(rotationId, step, given = deps) {
      return takeStepPatiently(given, step, { rotationId, carrier, signal }, works[step]);
    },
    async reach(rotationId, phase) {
      for (;;) {
        const one = await steps.read(rotationId);
        if (one.phase === phase) return;
        const { hold } = await readRotation(deps, rotationId);
        if (hold !== null) throw new Error(`The rotation holds: ${hold.code} ${hold.detail}`);
        await goOn(one);
      }
    },
    async carry(rotationId) {
      for (;;) {
        const one = await steps.read(rotationId);
        if (one.phase === "closed" || (await readRotation(deps, rotationId)).hold !== null) return one;
        await goOn(one);
      }
    },
    async begin(rotationId, step) {
      const begun = (await beginSteps(ledger, { step, carried: [{ rotationId, carrier }] })).get(rotationId);
      if (begun?.acts !== true) throw new Error(`${step} may not act: ${begun?.answer.now}`);
      return { deps, one: await steps.read(rotationId), turn: begun.turn, context: contextFor(deps, signal) };
    },
    async read(rotationId) {
      const one = (await readCases(ledger.db, [rotationId])).get(rotationId);
      if (one === undefined) throw new Error(`There is no rotation ${rotationId}.`);
      return one;
    },
    async answer(rotationId, decision) {
      const { hold } = await readRotation(deps, rotationId);
      if (hold === null) throw new Error("Nobody is asked.");
      const gaps = (hold.gaps as readonly { readonly key: string }[]).map(({ key }) => key);
      await say(deps, rotationId, { kind: "decide", holdId: hold.id, decision, gaps });
      await transact(ledger, async (trx) => {
        await lockRotations(trx, [rotationId]);
        await hearCommands(trx, [rotationId]);
      });
      return hold;
    },
    async close() {
      await test.close();
      await rm(folder, { recursive: true, force: true });
    },
  };

  async function goOn({ rotationId, direction, order, phase }: RotationCase): Promise<void> {
    if (direction === "forward" && phase === "reserved") await steps.take(rotationId, "preflight");
    const answer = await steps.take(rotationId, direction === "undo" ? "undo" : (stepFor(order, phase) ?? "close"));
    if (answer.now === "wait") await pause(Math.min(answer.waitMs, 100));
  }
  return steps;
}
