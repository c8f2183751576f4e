import { readLogin } from "../login-file.ts";
import { beginRotation } from "../rotation-watch.ts";
import { setStubborn } from "../load.ts";
import type { Scene } from "../scene.ts";

export const stubbornConsumer: Scene = {
  title: "2 consumer refuses",
  headline: "Scene 2: a consumer that does not adopt",
  why: [
    "The service stops reloading, as after a bad release. A rotator that trusted the written file would now end the login",
    "that is still in use. rekey waits for evidence, gets none, and asks a person: you roll back.",
  ],
  outcome: "undone",
  async play(stage) {
    const { screen, witness, service, file } = stage;
    await setStubborn(service, true);
    screen.line("service", "ignores changes of its file from now on");
    const rotation = await beginRotation(stage);
    const held = await rotation.follow();
    if (held.hold !== undefined) {
      const candidate = await readLogin(file);
      const answers = [await witness.tries(rotation.former), await witness.tries(candidate)];
      screen.line(
        "witness",
        `${rotation.former.user}: ${answers[0]}, ${candidate.user}: ${answers[1]}. Nobody is shut out`,
      );
      await rotation.decide(held, "roll-back");
    }
    const end = await rotation.follow();
    const now = await readLogin(file);
    const isBack = now.user === rotation.former.user && now.password === rotation.former.password;
    screen.line(
      "witness",
      `the file holds ${isBack ? "exactly the former login" : "something else"}; it is ${await witness.tries(now)}`,
    );
    await setStubborn(service, false);
    screen.line("service", "listens to its file again, and finds nothing new in it");
    return {
      rotation: end,
      refusedAfterMs: await rotation.refusedAfterMs(end),
      problem: isBack ? undefined : "the file does not hold the former login",
    };
  },
};
