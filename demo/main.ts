// The demonstration: everything from nothing, four rotations under live traffic, and nothing left behind.
import { parseArgs } from "node:util";
import { buildStage, type BuiltStage } from "./build-stage.ts";
import { openClosers, type Closers } from "./closers.ts";
import { playScene, type PlayedScene } from "./scene.ts";
import { openScreen, seconds, type Screen } from "./screen.ts";
import { forgottenUser } from "./scenes/forgotten-user.ts";
import { killedWorker } from "./scenes/killed-worker.ts";
import { stubbornConsumer } from "./scenes/stubborn-consumer.ts";
import { underLoad } from "./scenes/under-load.ts";

const scenes = [underLoad, stubbornConsumer, killedWorker, forgottenUser];
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

interface Options {
  readonly keep: boolean;
  readonly json: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: { keep: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
  });
  return values;
}

/** The one line of `--json`. */
function summary(played: readonly PlayedScene[]): string {
  const results = played.map(({ result }) => result);
  const sum = (key: "ordersPlaced" | "failedStatements" | "refusedLogins"): number =>
    results.reduce((total, result) => total + result[key], 0);
  return JSON.stringify({
    ordersPlaced: sum("ordersPlaced"),
    failedStatements: sum("failedStatements"),
    refusedLogins: sum("refusedLogins"),
    oldLoginRefusedAfterMs: Math.round(results[0]?.refusedAfterMs ?? Number.NaN),
    rotations: results.map(({ rotationId, outcome }) => ({ id: rotationId, outcome })),
  });
}

function tellHowToGoOn(screen: Screen, stage: BuiltStage): void {
  screen.text(
    "",
    "Everything still runs, orders too. In another terminal:",
    "",
    `  export REKEY_HOME=${stage.home} REKEY_ADDRESS=${stage.address}`,
    `  rekey rotate ${stage.credential} --wait`,
    `  rekey credential show ${stage.credential}`,
    "  rekey rotation list",
    "  rekey audit verify",
    `  cat ${stage.file} ${stage.manifests}`,
    `  curl ${stage.service}/stats`,
    "",
    "Ctrl-C stops everything and removes it.",
  );
}

async function play(screen: Screen, signal: AbortSignal, closers: Closers) {
  screen.scene("rekey demonstration: one login of a live order service, rotated four times", [
    "Setting the stage: a shop with a database of its own, and rekey beside it.",
  ]);
  const stage = await buildStage(screen, closers, signal);
  const played: PlayedScene[] = [];
  for (const scene of scenes) {
    signal.throwIfAborted();
    played.push(await playScene(scene, stage));
  }
  screen.table(played.map(({ result }) => result));
  return { stage, played };
}

async function main(): Promise<number> {
  const options = readOptions();
  const screen = openScreen(options.json ? process.stderr : process.stdout);
  const began = performance.now();
  const ending = new AbortController();
  const closers = openClosers();
  let code = 0;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      if (!ending.signal.aborted) screen.text("", "Stopping everything; this takes a few seconds.");
      code = exitCodes[name];
      ending.abort();
    });
  const aborted = new Promise<undefined>((resolve) =>
    ending.signal.addEventListener("abort", () => resolve(undefined), { once: true }),
  );

  const playing = play(screen, ending.signal, closers);
  let played: readonly PlayedScene[] | undefined;
  try {
    const end = await Promise.race([playing, aborted]);
    played = end?.played;
    if (end !== undefined && options.keep) {
      tellHowToGoOn(screen, end.stage);
      await aborted;
      code = 0; // asked for, and the only way to end it
    }
  } catch (error) {
    code = 1;
    if (!ending.signal.aborted)
      screen.wrong(error instanceof Error ? error.message : "something unexpected was thrown");
  }
  playing.catch(() => undefined);
  await closers.close().catch((error: unknown) => {
    code ||= 1;
    screen.wrong(`not everything could be stopped: ${error instanceof Error ? error.message : "unknown"}`);
  });
  if (played === undefined) return code;
  const isGood = played.every((scene) => scene.isGood);
  screen.text(
    "",
    `${isGood ? "Everything went as told" : "Not everything went as told"}, in ${seconds(performance.now() - began)}. Nothing was left running.`,
  );
  if (options.json) process.stdout.write(`${summary(played)}\n`);
  return isGood ? code : 1;
}

process.exitCode = await main();
