import { setTimeout as pause } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { say } from "../harness/say.ts";
import { readRotation, type PreparedWorker, type WorkerProcess, type World } from "../harness/world.ts";
import type { CrashSubject } from "./crash-subject.ts";
import type { MatrixCase } from "./matrix-cases.ts";
import { isStepCompleted } from "./step-completed.ts";

/** From the crash to the end of the rotation, and for each wait before it. */
export const limitMs = 90_000;

/** A world with the worker that is to die next, and one that takes over from it. */
export interface Lane {
  readonly world: World;
  readonly temporal: Client;
  worker: WorkerProcess;
  successor: PreparedWorker;
  /** Closes what is open beside the world. */
  close(): Promise<void>;
}

export async function openLane(world: World): Promise<Lane> {
  const connection = await Connection.connect({ address: world.temporalAddress });
  return {
    world,
    temporal: new Client({ connection }),
    worker: await world.startWorker(),
    successor: world.prepareWorker(),
    close: async () => connection.close(),
  };
}

/** The worker may be alive and armed still, where a case has failed. */
export async function replaceWorker(lane: Lane): Promise<void> {
  lane.worker.kill("SIGKILL");
  await lane.worker.ended;
  lane.worker = await lane.successor.start();
  lane.successor = lane.world.prepareWorker();
}

/** What is wrong after the crash, a sentence each; none means that the case passes. */
export async function runCrashCase(lane: Lane, one: MatrixCase, subject: CrashSubject): Promise<readonly string[]> {
  const { world, temporal } = lane;
  const witness = await subject(world, one);
  try {
    if (one.point !== "B5") await lane.worker.arm(one.failpoint);
    const rotationId = await witness.rotate();
    const never = await crash(lane, one, rotationId);
    if (never !== undefined) return [`${one.name} was never reached: ${never}`];
    const atCrash = await witness.lookAtCrash(rotationId, one);
    if (one.abortsAfter === true) await say(world, rotationId, { kind: "abort" });
    await replaceWorker(lane);
    const stuck = await untilEnded(world, rotationId);
    if (stuck !== undefined) return [...atCrash, `invariant 9: ${stuck}`];
    const outcome = one.abortIn === undefined && one.abortsAfter === undefined ? "proven" : "undone";
    return [...atCrash, ...(await witness.lookAtEnd({ temporal, rotationId, outcome }))];
  } finally {
    await witness.close();
  }
}

/** Resolves when the worker has died by SIGKILL; else with why it has not. */
async function crash({ world, temporal, worker }: Lane, one: MatrixCase, rotationId: string) {
  const end = performance.now() + limitMs;
  let closedAt = Infinity;
  let isAborted = false;
  for (;;) {
    const died = await Promise.race([worker.ended, pause(20, undefined)]);
    if (died !== undefined) return died === "SIGKILL" ? undefined : `the worker ended by itself (${died})`;
    const row = await readRotation(world, rotationId);
    const now = performance.now();
    if (row.outcome !== null) closedAt = Math.min(closedAt, now);
    // What comes after closing is a matter of moments.
    if (row.hold !== null || now > end || now > closedAt + 5_000) return JSON.stringify(row);
    if (row.phase === one.abortIn && !isAborted) {
      isAborted = true;
      await say(world, rotationId, { kind: "abort" });
    }
    const activity = one.step.startsWith("undo-") ? "undo" : one.step;
    if (one.point === "B5" && (await isStepCompleted(temporal, rotationId, activity))) worker.kill("SIGKILL");
  }
}

/** Undefined when the rotation has closed in time; else how it stands. `abortIn`: the phase in which a person aborts. */
export async function untilEnded(world: World, rotationId: string, abortIn?: string): Promise<string | undefined> {
  const end = performance.now() + limitMs;
  let isAborted = false;
  for (;;) {
    const row = await readRotation(world, rotationId);
    if (row.outcome !== null) return undefined;
    if (row.phase === abortIn && !isAborted) {
      isAborted = true;
      await say(world, rotationId, { kind: "abort" });
    }
    if (row.hold !== null) return `the rotation holds although nobody was needed: ${JSON.stringify(row)}`;
    if (performance.now() > end) return `the rotation did not end in ${limitMs / 1_000} s: ${JSON.stringify(row)}`;
    await pause(50);
  }
}
