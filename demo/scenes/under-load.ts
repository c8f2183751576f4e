import type { Scene } from "../scene.ts";
import { beginRotation } from "../rotation-watch.ts";

export const underLoad: Scene = {
  title: "1 under load",
  headline: "Scene 1: a rotation under load",
  why: [
    "An order every 20 ms, and migrations between them. The database login changes underneath, and nobody may notice.",
    "The service knows nothing of rekey: it reads a dotenv file and reloads when that changes.",
  ],
  outcome: "proven",
  async play(stage) {
    const rotation = await beginRotation(stage);
    const end = await rotation.followToEnd();
    return { rotation: end, refusedAfterMs: await rotation.refusedAfterMs(end) };
  },
};
