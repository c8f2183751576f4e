import { setTimeout as sleep } from "node:timers/promises";
import { readLogin } from "../login-file.ts";
import type { Login } from "../orders-cluster.ts";
import { beginRotation } from "../rotation-watch.ts";
import type { Scene, Stage } from "../scene.ts";
import { workerOf } from "../worker-process.ts";

export const killedWorker: Scene = {
  title: "3 worker killed",
  headline: "Scene 3: the worker is killed in the middle",
  why: [
    "SIGKILL in the moment in which the new version reaches the service: no handler runs, nothing is written down any more.",
    "Each step stored its intent before it acted, so another worker knows what to finish, and what not to do twice.",
  ],
  outcome: "proven",
  async play(stage) {
    const before = await readLogin(stage.file);
    const killed = killOnceWritten(stage, before);
    const rotation = await beginRotation(stage);
    const [end] = await Promise.all([rotation.followToEnd(), killed]);
    return { rotation: end, refusedAfterMs: await rotation.refusedAfterMs(end) };
  },
};

/** At once when the file has changed: the step that wrote it has hardly had the time to say so. */
async function killOnceWritten({ screen, file, upPid, signal }: Stage, before: Login): Promise<void> {
  const pid = await workerOf(upPid, signal);
  while ((await readLogin(file)).password === before.password) await sleep(5, undefined, { signal });
  process.kill(pid, "SIGKILL");
  screen.line("demo", `kill -9 ${pid}: the file is written, and the worker is gone`);
  const next = await workerOf(upPid, signal, pid);
  screen.line("rekey", `a new worker starts (pid ${next}) and takes the rotation up where the ledger has it`);
}
