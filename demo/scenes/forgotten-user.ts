import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "../child.ts";
import { beginRotation } from "../rotation-watch.ts";
import type { Scene } from "../scene.ts";
import type { RotationView } from "../rekey.ts";

const name = "forgotten-report";
/** For the news of an end that has happened already. */
const patienceMs = 2_000;

export const forgottenUser: Scene = {
  title: "4 forgotten session",
  headline: "Scene 4: a forgotten session",
  why: [
    "Somebody's report holds a session on the login, and nobody registered it. Every registered consumer moves in time;",
    "a rotator that asks only those would cut it off. rekey asks the server who else is there, names it, and waits.",
  ],
  outcome: "proven",
  async play(stage) {
    const { screen, closers } = stage;
    const report = startChild("forgotten-session", ["--file", stage.file, "--name", name], ({ event, code }) => {
      if (event === "session_ended") screen.line("report", `its session was ended by the server (${String(code)})`);
    });
    closers.add(() => report.stop());
    const { user } = await report.until("session_open");
    screen.line("report", `opens one session as ${String(user)}, for a report nobody remembers`);
    const rotation = await beginRotation(stage);
    let isNamed = false;
    let end = await rotation.follow();
    while (end.hold !== undefined) {
      isNamed ||= names(end);
      await rotation.decide(end, "accept");
      screen.note("you know the report and that it may break; the decision is kept with your name");
      end = await rotation.follow();
    }
    const wasEnded = await Promise.race([
      report.until("session_ended").then(() => true),
      sleep(patienceMs, false, { signal: stage.signal }),
    ]);
    await report.stop();
    return {
      rotation: end,
      refusedAfterMs: await rotation.refusedAfterMs(end),
      problem: isNamed ? (wasEnded ? undefined : `${name} still has its session`) : `no hold named ${name}`,
    };
  },
};

const names = ({ hold }: RotationView): boolean =>
  hold?.gaps.some(({ code, text }) => code === "stranger_seen" && text.includes(name)) === true;
