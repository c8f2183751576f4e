import { Client } from "@temporalio/client";
import { bundleWorkflowCode, Worker, type WorkerOptions } from "@temporalio/worker";
import { existsSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { armFailpoint } from "../activities/failpoint.ts";
import { createActivities } from "../activities/create-activities.ts";
import { createLog } from "../custody/scrubbed-log.ts";
import { createScrubber } from "../custody/scrubber.ts";
import { OperatorNeededError } from "../domain/errors.ts";
import type { SpellListener } from "../domain/trouble-spell.ts";
import { openLedger } from "../ledger/database.ts";
import { readInstance } from "../ledger/health.ts";
import { assertSchemaCurrent } from "../ledger/migrate.ts";
import { createSealer } from "../ledger/sealer.ts";
import type { Settings } from "../settings.ts";
import { createSweepSchedule } from "./sweep-schedule.ts";
import { createDeadlines } from "./deadlines.ts";
import { createDeathWatches } from "./death-watches.ts";
import { createDispatcher } from "./dispatcher.ts";
import { egressOf, openStepDeps } from "./step-deps.ts";
import { createMarks } from "./marks.ts";
import { createNoticeSender } from "./notice-sender.ts";
import { connectTemporal } from "./temporal-connection.ts";

export interface RunningWorker {
  /** Ends when the worker has stopped, by `stop` or by trouble that it cannot mend. */
  readonly ended: Promise<void>;
  /** Lets the steps at work finish, then stops. */
  stop(): void;
}

/** In a built package the workflows are a bundle; from the sources they are bundled when the worker starts. */
const bundleFile = fileURLToPath(new URL("../workflows.bundle.js", import.meta.url));
const beside = (name: string): string =>
  fileURLToPath(new URL(`../workflows/${name}${extname(import.meta.url)}`, import.meta.url));
const workflowsPath = beside("workflows");
const payloadConverterPath = beside("payload-guard");

/** How long another worker waits for this one's answer before it takes over a workflow's next turn. */
const stickyMs = 2_000;

/** A worker that stands still in the middle of a transaction keeps nobody else waiting for longer. */
const idleInTransactionMs = 60_000;

interface WorkerTimes {
  /** How long nobody may have looked at an open rotation before it is started again. */
  readonly silentMs?: number;
  /** Between two looks at the schedule that sweeps. */
  readonly scheduleMs?: number;
}

/**
 * Runs a worker: carries rotations and checks, acts outside, dispatches what the ledger holds, seals its audit trail.
 * `bundle` names workflows that were bundled before; where there is no such file, they are bundled now.
 */
export async function startWorker(
  settings: Settings,
  bundle = bundleFile,
  times: WorkerTimes = {},
): Promise<RunningWorker> {
  const { databaseUrl } = settings;
  const { address, namespace } = settings.temporal;
  if (databaseUrl === undefined || address === undefined)
    throw new OperatorNeededError(
      "setting_invalid",
      "A worker needs DATABASE_URL_FILE and TEMPORAL_ADDRESS. `rekey up` starts everything on one machine.",
    );
  armFailpoint(settings.failpoint);
  const scrubber = createScrubber((hits) => log.error("log.scrubbed", { hits }));
  const log = createLog({ level: settings.logLevel, scrubber });
  await assertSchemaCurrent(databaseUrl);
  const ledger = openLedger(databaseUrl, {
    applicationName: "rekey worker",
    connections: 20,
    prepares: true,
    idleInTransactionMs,
  });
  const connection = await connectTemporal(settings.temporal, address);
  const temporal = async () => (await connection.workflowService.getSystemInfo({})).serverVersion;
  const stepDeps = await openStepDeps(settings, ledger, scrubber, log, temporal);
  const activities = createActivities(stepDeps);
  const client = new Client({ connection, namespace, dataConverter: { payloadConverterPath } });
  const common = { connection, namespace, dataConverter: { payloadConverterPath }, shutdownGraceTime: "10 seconds" };
  const carries = {
    ...common,
    workflowBundle: await workflowBundle(bundle),
    activities,
    stickyQueueScheduleToStartTimeout: stickyMs,
  };
  const acts = { ...common, activities, maxConcurrentActivityTaskExecutions: 50 };
  // What hurries has slots of its own, which routine work cannot fill.
  const workers = await Promise.all([
    Worker.create({ ...carries, taskQueue: "rekey" }),
    Worker.create({ ...carries, taskQueue: "rekey.urgent" }),
    Worker.create({ ...acts, taskQueue: "rekey.default" }),
    Worker.create({ ...acts, taskQueue: "rekey.default.urgent" }),
  ]);
  const spellOf = (
    name: "dispatcher" | "sealer" | "schedule" | "marks" | "notices" | "deadlines" | "deathWatches",
  ): SpellListener => ({
    onTrouble: (error) =>
      log.error(`${name}.troubled`, { error: error instanceof Error ? (error.stack ?? error.name) : typeof error }),
    onRecovered: (failures) => log(`${name}.recovered`, { failures }),
  });
  const dispatcher = createDispatcher({ ledger, client, ...times, ...spellOf("dispatcher") });
  const sealer = createSealer({ ledger, signingKey: stepDeps.signingKey, ...spellOf("sealer") });
  const instance = await readInstance(ledger);
  const { sweepEveryMs } = settings;
  const schedule = createSweepSchedule({
    ...{ client, instance, sweepEveryMs },
    ...(times.scheduleMs === undefined ? {} : { everyMs: times.scheduleMs }),
    ...spellOf("schedule"),
  });
  const pools = ["default"];
  const marks = createMarks({ ledger, pools, calls: stepDeps.calls, ...spellOf("marks") });
  const notices = createNoticeSender({
    ...settings.notices,
    deps: { ...stepDeps, egress: egressOf(settings, log, settings.notices.timeoutMs) },
    ...spellOf("notices"),
  });
  const deadlines = createDeadlines({ ledger, ...spellOf("deadlines") });
  const deathWatches = createDeathWatches({ deps: stepDeps, pools, ...spellOf("deathWatches") });
  notices.start();
  marks.start();
  deadlines.start();
  deathWatches.start();
  dispatcher.start();
  schedule.start();
  sealer.start();
  log("worker.ready", { pid: process.pid, address });
  const ended = Promise.all(workers.map(async (worker) => worker.run())).then(async () => {
    await dispatcher.stop();
    await schedule.stop();
    await marks.stop();
    await notices.stop();
    await deadlines.stop();
    await deathWatches.stop();
    await sealer.stop();
    await connection.close();
    await ledger.close();
  });
  return {
    ended,
    stop() {
      for (const worker of workers) if (worker.getState() === "RUNNING") worker.shutdown();
    },
  };
}

async function workflowBundle(bundle: string): Promise<NonNullable<WorkerOptions["workflowBundle"]>> {
  if (existsSync(bundle)) return { codePath: bundle };
  return bundleWorkflowCode({ workflowsPath, payloadConverterPath, logger: quiet });
}

const nothing = (): void => undefined;
const quiet = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
