import { readLogin } from "./login-file.ts";
import { loginPair, type Login } from "./orders-cluster.ts";
import { wordsFor } from "./phase-words.ts";
import type { RotationView } from "./rekey.ts";
import type { Stage } from "./scene.ts";

/** A rotation that is shown while it runs. */
export interface WatchedRotation {
  readonly id: string;
  /** The login that the file held at the start. */
  readonly former: Login;
  /** Shows each change until the rotation is closed or waits for a person. */
  follow(onChange?: (view: RotationView) => void): Promise<RotationView>;
  /** Answers the hold that the view shows. */
  decide(view: RotationView, decision: "retry" | "roll-back" | "accept"): Promise<void>;
  /** How long after the start the witness saw the former login refused for good; undefined when it need not be. */
  refusedAfterMs(end: RotationView): Promise<number | undefined>;
  stopWatching(): void;
}

/** Starts a rotation, and the witness's clock with it. */
export async function beginRotation(stage: Stage): Promise<WatchedRotation> {
  const { screen, rekey, witness, signal } = stage;
  const former = await readLogin(stage.file);
  const next = loginPair.find((login) => login !== former.user) ?? "";
  const enough = new AbortController();
  const began = performance.now();
  const refused = witness.seesRefused(former, AbortSignal.any([signal, enough.signal])).then(
    ({ at, code }) => {
      screen.line("witness", `tries the old password itself: refused (${code})`);
      return at - began;
    },
    () => undefined,
  );
  screen.line("you", `rekey rotate ${stage.credential}`);
  const id = await rekey.rotate(stage.credential);
  let shown = "";
  let answered = 0;

  return {
    id,
    former,
    follow: (onChange) =>
      rekey.follow(id, answered, (view) => {
        const now = JSON.stringify([view.phase, view.direction, view.hold?.number]);
        // The answered hold stays in sight until a step has heard the answer.
        const isOld = view.hold !== undefined && view.hold.number <= answered;
        if (now !== shown && !isOld) show(stage, view, { former: former.user, next });
        shown = now;
        onChange?.(view);
      }),
    async decide({ hold }, decision) {
      screen.line("you", `rekey rotation ${decision} ${id}`);
      await rekey.decide(id, decision);
      answered = hold?.number ?? answered;
    },
    async refusedAfterMs({ outcome }) {
      if (outcome !== "proven") enough.abort();
      return refused;
    },
    stopWatching: () => enough.abort(),
  };
}

function show({ screen }: Stage, view: RotationView, logins: { former: string; next: string }): void {
  if (view.hold === undefined) return screen.line("rekey", wordsFor(view, logins));
  const { number, detail, gaps } = view.hold;
  // The detail of a hold with gaps is the gaps themselves.
  screen.line("rekey", `HOLD ${number}      ${gaps.length === 0 ? detail : "waits for a person, and says why:"}`);
  for (const { text } of gaps) screen.note(text);
}
