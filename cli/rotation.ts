import { ApiError, type Answer, type Client } from "../api/client.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { holdLines } from "./hold-lines.ts";
import type { Io } from "./io.ts";
import { lastUseLines } from "./last-use-lines.ts";
import { answeredLines, consumerLines, emergencyLines, headLines, sessionLines } from "./rotation-lines.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { timelineLines } from "./timeline-lines.ts";
import { watch } from "./watch.ts";
import { wrap } from "./wrap.ts";

export interface RotateOptions {
  readonly reason?: string;
  readonly wait?: boolean;
  readonly timeout?: number;
}

/** `rekey rotate` */
export async function rotate(io: Io, credential: string, { reason, wait, timeout }: RotateOptions): Promise<ExitCode> {
  const client = await io.client();
  const reserved = await client.call("reserveRotation", { params: { credential }, body: { reason } });
  if (wait === true) {
    io.say(`Rotation ${reserved.id} of ${reserved.credential}${reserved.isNew ? "" : ", which was open already"}.`);
    return watch(io, reserved.id, { timeout });
  }
  io.give(reserved);
  io.say(
    `Rotation ${reserved.id} of ${reserved.credential}${reserved.isNew ? " is reserved" : " was open already"}.`,
    `  Follow it: rekey rotation watch ${reserved.id}`,
  );
  return exitCodes.done;
}

/** `rekey rotation plan` */
export async function plan(io: Io, credential: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("planRotation", { params: { credential } });
  io.give(found);
  io.say(...planLines(found));
  return exitCodes.done;
}

function planLines(found: Answer<"planRotation">): readonly string[] {
  const from = found.fromVersion === null ? "" : `, from version ${found.fromVersion}`;
  return [
    `Rotating ${found.credential} (${found.environment}), ${found.order}${from}: at most ${minutes(found.minutes)} when nobody has to be asked`,
    "",
    "Steps",
    ...found.steps.flatMap(({ step, reaches, calls, minutes: each, crossesReturn }) => [
      ...(crossesReturn ? ["  ‖ point of no return: before it all of this can be undone, after it nothing"] : []),
      `  ${step.padEnd(10)} → ${reaches.padEnd(10)} ${each === 0 ? "" : `≤ ${each} min`}`.trimEnd(),
      ...calls.map((call) => `      ${printable(call)}`),
    ]),
    "",
    found.consumers.length === 0 ? "Consumers: none is registered" : "Consumers",
    ...table(
      found.consumers.map(({ ref, connection, target, wanted, canGive }) => [
        `  ${ref}`,
        connection === null ? target : `${target} over ${connection}`,
        `asked for ${wanted}`,
        `can give ${canGive.join(", ")}`,
      ]),
    ),
    ...(found.lastUses.length === 0 ? [] : [""]),
    ...lastUseLines(found.lastUses),
    ...(found.warnings.length === 0 ? [] : ["", "Mind"]),
    ...found.warnings.flatMap((warning) => {
      const [first = "", ...rest] = wrap(printable(warning), "    ");
      return [`  ! ${first.trimStart()}`, ...rest];
    }),
  ];
}

const minutes = (count: number) => `${count} ${count === 1 ? "minute" : "minutes"}`;

export interface ListOptions {
  readonly credential?: string;
  readonly open?: boolean;
  readonly limit?: number;
}

/** `rekey rotation list` */
export async function list(io: Io, { credential, open, limit }: ListOptions): Promise<ExitCode> {
  const client = await io.client();
  const query = { credential, limit, ...(open === true ? { open: "true" as const } : {}) };
  const answer = await client.call("listRotations", { query });
  io.give(answer);
  const rows = answer.rotations.map((one) => [
    one.id,
    one.credential,
    one.environment,
    one.order,
    one.outcome ?? (one.direction === "undo" ? `${one.phase}, being undone` : one.phase),
    one.openHold === null ? (one.paused ? "paused" : "") : `HOLD ${one.openHold}`,
    clock(one.createdAt),
  ]);
  if (rows.length === 0) io.say(emptyList("rotation", { credential, open }, "Start one: rekey rotate CREDENTIAL"));
  else io.say(...table([["ROTATION", "CREDENTIAL", "ENVIRONMENT", "ORDER", "STANDS AT", "WAITS", "SINCE"], ...rows]));
  return exitCodes.done;
}

/** Not everybody who sees a rotation may read the audit trail: a team's token is shown the rest without it. */
async function readTimeline(client: Client, rotation: string): Promise<Answer<"listAudit">> {
  try {
    return await client.call("listAudit", { query: { rotation, limit: 500 } });
  } catch (error) {
    if (error instanceof ApiError && error.problem.code === "forbidden") return { rows: [], names: {} };
    throw error;
  }
}

/** `rekey rotation show` */
export async function show(io: Io, rotation: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showRotation", { params: { rotation } });
  const { rows, names } = await readTimeline(client, found.id);
  io.give({ ...found, timeline: rows.toReversed() });
  const blocks = [
    headLines(found),
    emergencyLines(found),
    found.hold === null ? [] : holdLines(found.hold, found),
    consumerLines(found),
    sessionLines(found),
    lastUseLines(found.lastUses, found.now),
    answeredLines(found),
    rows.length === 0 ? [] : timelineLines(rows, names, found.now),
  ];
  io.say(
    blocks
      .filter((block) => block.length > 0)
      .map((block) => block.join("\n"))
      .join("\n\n"),
  );
  return exitCodes.done;
}
