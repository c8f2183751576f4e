// The demonstration: everything from nothing, four rotations under live traffic, and nothing left behind.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { tailOf } from "../embedded/bounded-log.ts";
import { buildStage, type BuiltStage } from "./build-stage.ts";
import { openClosers } from "./closers.ts";
import { hearInterrupts, leaveParent, type Interrupts } from "./interrupts.ts";
import type { LoadCounts } from "./load.ts";
import { isUnnoticed, playScene, type PlayedScene } from "./scene.ts";
import { openScreen, seconds, type Screen } from "./screen.ts";
import { forgottenUser } from "./scenes/forgotten-user.ts";
import { killedWorker } from "./scenes/killed-worker.ts";
import { stubbornConsumer } from "./scenes/stubborn-consumer.ts";
import { underLoad } from "./scenes/under-load.ts";
import { summaryLine } from "./summary.ts";

const scenes = [underLoad, stubbornConsumer, killedWorker, forgottenUser];

const { values: options } = parseArgs({
  options: { keep: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
});

/** How long an interrupted play may take to notice that everything it stands on is gone. */
const settleLimitMs = 30_000;

/** What there is to tell at the end, however far it came. */
interface Progress {
  stage: BuiltStage | undefined;
  readonly played: PlayedScene[];
  counts: LoadCounts | undefined;
}

async function play(screen: Screen, progress: Progress, build: () => Promise<BuiltStage>): Promise<void> {
  screen.scene("rekey demonstration: one login of a live order service, rotated four times", [
    "Setting the stage: a shop with a database of its own, and rekey beside it.",
  ]);
  const stage = await build();
  progress.stage = stage;
  for (const scene of scenes) {
    stage.signal.throwIfAborted();
    progress.played.push(await playScene(scene, stage));
    progress.counts = await stage.load.counts();
  }
  screen.table(progress.played.map(({ result }) => result));
}

function tellHowToGoOn(screen: Screen, { program, home, credential, manifests, service }: BuiltStage): void {
  screen.text(
    "",
    "Everything still runs, orders too. In another terminal:",
    "",
    `  export REKEY_HOME='${home}' PATH='${program}':"$PATH"`,
    `  rekey rotate ${credential} --wait`,
    `  rekey credential show ${credential}`,
    `  rekey rotation plan ${credential}`,
    `  rekey rotation show ${credential}`,
    "  rekey audit verify",
    `  cat '${manifests}'`,
    `  curl ${service}/stats`,
    "",
    "Ctrl-C here stops everything and removes it.",
  );
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : "something unexpected was thrown");

/** The logs go with the folder, so their ends are shown first. */
async function showLogs(screen: Screen, stage: BuiltStage | undefined): Promise<void> {
  if (stage === undefined) return;
  for (const name of ["worker", "api"]) {
    const end = await tailOf(join(stage.home, "logs", `${name}.log`)).catch(() => "");
    if (end.trim() !== "") screen.text("", `The ${name}'s log ends with:`, end.trim());
  }
}

async function main(screen: Screen, interrupts: Interrupts): Promise<number> {
  const began = performance.now();
  const closers = openClosers();
  const progress: Progress = { stage: undefined, played: [], counts: undefined };
  let isGood = false;
  const playing = play(screen, progress, () => buildStage(screen, closers, interrupts.signal));
  try {
    await Promise.race([playing, interrupts.wanted]);
    const { counts, played } = progress;
    isGood =
      played.length === scenes.length &&
      played.every((scene) => scene.isGood) &&
      counts !== undefined &&
      isUnnoticed(counts);
    if (options.keep && progress.stage !== undefined && !interrupts.signal.aborted) {
      tellHowToGoOn(screen, progress.stage);
      await interrupts.wanted;
    }
  } catch (error) {
    if (!interrupts.signal.aborted) screen.wrong(textOf(error));
  }
  const wasPlayed = progress.played.length === scenes.length;
  if (!isGood && !interrupts.signal.aborted) await showLogs(screen, progress.stage);
  let isStopped = true;
  const stop = (): Promise<void> =>
    closers.close().catch((error: unknown) => {
      isStopped = false;
      screen.wrong(`Not everything could be stopped: ${textOf(error)}`);
    });
  await stop();
  // What was interrupted in the middle may have begun one more thing before it heard of it.
  const settled = new AbortController();
  const noticed = playing.catch(() => undefined).finally(() => settled.abort());
  await Promise.race([noticed, sleep(settleLimitMs, undefined, { signal: settled.signal }).catch(() => undefined)]);
  await stop();
  const took = seconds(performance.now() - began);
  const told = isGood ? "Everything went as told" : wasPlayed ? "Not everything went as told" : "It ended early";
  screen.text("", `${told}, in ${took}.${isStopped ? " Nothing was left running." : ""}`);
  if (options.json && progress.counts !== undefined)
    process.stdout.write(`${summaryLine(progress.played, progress.counts)}\n`);
  if (isGood && isStopped) return 0; // also when it was kept up, and Ctrl-C the only way to end it
  return interrupts.exitCode() || 1;
}

const screen = openScreen(options.json ? process.stderr : process.stdout);
const interrupts = hearInterrupts(() => screen.text("", "Stopping everything; this takes a few seconds."));
process.exitCode = await main(screen, interrupts);
leaveParent();
