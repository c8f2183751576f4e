import { beginRotation } from "../rotation-watch.ts";
import type { Scene } from "../scene.ts";
import { workerOf } from "../worker-process.ts";

export const killedWorker: Scene = {
  title: "3 worker killed",
  headline: "Scene 3: the worker is killed in the middle",
  why: [
    "SIGKILL while the new version is on its way to the service: no handler runs, nothing is written down any more.",
    "Each step stored its intent before it acted, so another worker knows what to finish, and what not to do twice.",
  ],
  outcome: "proven",
  async play(stage) {
    const rotation = await beginRotation(stage);
    let killed: Promise<void> | undefined;
    const kill = async (): Promise<void> => {
      const pid = await workerOf(stage.upPid, stage.signal);
      process.kill(pid, "SIGKILL");
      stage.screen.line("demo", `kill -9 ${pid}: the worker is gone`);
      const next = await workerOf(stage.upPid, stage.signal, pid);
      stage.screen.line("rekey", `a new worker runs (pid ${next}) and takes the rotation up where the ledger has it`);
    };
    const end = await rotation.follow((view) => {
      if (view.phase === "delivered") killed ??= kill();
    });
    await killed;
    const problem = killed === undefined ? "the rotation was over before the worker could be killed" : undefined;
    return { rotation: end, refusedAfterMs: await rotation.refusedAfterMs(end), problem };
  },
};
