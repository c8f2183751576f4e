import { readLogin } from "./login-file.ts";
import { loginPair, type Login } from "./orders-cluster.ts";
import { wordsFor } from "./phase-words.ts";
import { newPhases } from "./phases-passed.ts";
import type { Decision, RotationView } from "./rekey.ts";
import type { Stage } from "./scene.ts";

/** A rotation that is shown while it runs. */
export interface WatchedRotation {
  readonly id: string;
  /** The login that the file held at the start. */
  readonly former: Login;
  /** Shows each change until the rotation is closed or waits for a person. */
  follow(onChange?: (view: RotationView) => void): Promise<RotationView>;
  /** The same for one that has to get there by itself: asks for evidence again where only the machine was slow. */
  followToEnd(onChange?: (view: RotationView) => void): Promise<RotationView>;
  /** Answers the hold that the view shows. */
  decide(view: RotationView, decision: Decision): Promise<void>;
  /** How long after the start the witness saw the former login refused for good; undefined when it need not be. */
  refusedAfterMs(end: RotationView): Promise<number | undefined>;
}

/** The policy's patience is short, so that nobody waits long for a hold that is meant. */
const retriesOfSlowMachine = 2;

/** Starts a rotation, and the witness's clock with it. */
export async function beginRotation(stage: Stage): Promise<WatchedRotation> {
  const { screen, rekey } = stage;
  const former = await readLogin(stage.file);
  const next = loginPair.find((login) => login !== former.user) ?? "";
  screen.line("you", `rekey rotate ${stage.credential}`);
  const refusal = awaitRefusal(stage, former);
  const id = await rekey.rotate(stage.credential);
  let last: RotationView | undefined;
  let answered = 0;

  const show = (view: RotationView): void => {
    for (const phase of newPhases(last, view))
      screen.line("rekey", wordsFor(phase, view, { former: former.user, next }));
    // The answered hold stays in sight until a step has heard the answer.
    const { hold } = view;
    if (hold !== undefined && hold.number > answered && hold.number !== last?.hold?.number) {
      // The detail of a hold with gaps is the gaps themselves.
      const why = hold.gaps.length === 0 ? hold.detail : "waits for a person, and says why:";
      screen.line("rekey", `HOLD ${hold.number}      ${why}`);
      for (const { text } of hold.gaps) screen.note(text);
    }
    last = view;
  };
  const follow: WatchedRotation["follow"] = (onChange) =>
    rekey.follow(id, answered, (view) => {
      show(view);
      if (isEnding(view)) refusal.tell();
      onChange?.(view);
    });
  const decide: WatchedRotation["decide"] = async ({ hold }, decision) => {
    if (hold === undefined) throw new Error("There is no hold to answer.");
    answered = hold.number;
    screen.line("you", await rekey.decide(id, hold, decision));
  };

  return {
    id,
    former,
    follow,
    decide,
    async followToEnd(onChange) {
      let end = await follow(onChange);
      for (let retries = 0; end.hold?.code === "evidence_missing" && retries < retriesOfSlowMachine; retries++) {
        screen.note("not meant: this machine is slower than the demonstration's patience, so it asks again");
        await decide(end, "retry");
        end = await follow(onChange);
      }
      return end;
    },
    refusedAfterMs: (end) => refusal.end(end.outcome === "proven"),
  };
}

/** The version has been told to end, so that the witness's line no longer comes before the cause. */
const isEnding = ({ phase }: RotationView): boolean => ["revoking", "revoked", "proven", "closed"].includes(phase);

/** Lets the witness wait for the former login to be refused, and keeps its line until the timeline has come so far. */
function awaitRefusal({ screen, witness, signal }: Stage, former: Login) {
  const began = performance.now();
  const enough = new AbortController();
  const seen = witness.seesRefused(former, AbortSignal.any([signal, enough.signal])).then(
    ({ at, code }) => ({ afterMs: at - began, code }),
    () => undefined,
  );
  let telling: Promise<void> | undefined;
  const tell = (): Promise<void> =>
    (telling ??= seen.then((refused) => {
      if (refused === undefined) return;
      const after = `${(refused.afterMs / 1000).toFixed(2)} s after the start`;
      screen.line("witness", `tried the old password itself: refused (${refused.code}), ${after}`);
    }));
  return {
    tell: () => void tell(),
    /** How long it took; waits for it only when it must come. */
    async end(mustCome: boolean): Promise<number | undefined> {
      if (mustCome) await tell();
      else enough.abort();
      return (await seen)?.afterMs;
    },
  };
}
