import type { Closers } from "./closers.ts";
import type { Load, LoadCounts } from "./load.ts";
import type { Rekey, RotationView } from "./rekey.ts";
import type { SceneResult, Screen } from "./screen.ts";
import type { Witness } from "./witness.ts";

/** What every scene plays with. */
export interface Stage {
  readonly screen: Screen;
  readonly rekey: Rekey;
  /** Of the process `rekey up`. */
  readonly upPid: number;
  readonly witness: Witness;
  readonly load: Load;
  /** The order service's address and its dotenv file. */
  readonly service: string;
  readonly file: string;
  /** `team/name` of the credential. */
  readonly credential: string;
  readonly closers: Closers;
  readonly signal: AbortSignal;
}

export interface Scene {
  /** For the last table. */
  readonly title: string;
  readonly headline: string;
  readonly why: readonly string[];
  /** What the rotation must come to, else the demonstration fails. */
  readonly outcome: "proven" | "undone";
  play(stage: Stage): Promise<Played>;
}

export interface Played {
  readonly rotation: RotationView;
  /** How long after the start the former login was refused for good; absent when it was not to be. */
  readonly refusedAfterMs?: number | undefined;
  /** What else did not go as told. */
  readonly problem?: string | undefined;
}

export interface PlayedScene {
  readonly result: SceneResult;
  /** Went as told, and the application noticed nothing. */
  readonly isGood: boolean;
}

/** Plays one scene and counts what the application noticed of it. */
export async function playScene(scene: Scene, stage: Stage): Promise<PlayedScene> {
  stage.screen.scene(scene.headline, scene.why);
  const before = await stage.load.counts();
  const began = performance.now();
  const { rotation, refusedAfterMs, problem } = await scene.play(stage);
  const tookMs = performance.now() - began;
  const felt = difference(before, await stage.load.counts());
  const outcome = rotation.outcome ?? "open";
  const checks = [
    check(outcome === scene.outcome, `the rotation is ${outcome}`, `, and should be ${scene.outcome}`),
    check(
      isUnnoticed(felt),
      `${felt.ordersPlaced} orders meanwhile, ${felt.failedStatements} failed statements, ${felt.refusedLogins} refused logins`,
      `, ${felt.lostSessions} lost sessions`,
    ),
    ...(problem === undefined ? [] : [check(false, problem)]),
  ];
  for (const { isGood, text } of checks) stage.screen[isGood ? "done" : "wrong"](text);
  return {
    result: { title: scene.title, rotationId: rotation.id, outcome, tookMs, refusedAfterMs, ...felt },
    isGood: checks.every(({ isGood }) => isGood),
  };
}

/** The application has felt nothing of it. */
export function isUnnoticed({ failedStatements, refusedLogins, lostSessions }: LoadCounts): boolean {
  return failedStatements + refusedLogins + lostSessions === 0;
}

const check = (isGood: boolean, text: string, otherwise = "") => ({ isGood, text: isGood ? text : text + otherwise });

function difference(before: LoadCounts, after: LoadCounts): LoadCounts {
  return {
    ordersPlaced: after.ordersPlaced - before.ordersPlaced,
    failedStatements: after.failedStatements - before.failedStatements,
    refusedLogins: after.refusedLogins - before.refusedLogins,
    lostSessions: after.lostSessions - before.lostSessions,
  };
}
