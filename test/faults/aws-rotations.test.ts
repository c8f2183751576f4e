import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle } from "../harness/aws/settings.ts";
import { withLedger } from "../harness/oracle-books.ts";
import { registerOverConnection } from "../harness/over-connection.ts";
import { registerCredential } from "../harness/register-credential.ts";
import { inDotenv, startSentinel, type HeldLogin } from "../harness/sentinel.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { newMark, openWorld, untilClosed, type World } from "../harness/world.ts";
import { awsIssuer } from "./aws-issuer.ts";
import { awsSecret } from "./aws-secret.ts";
import { strangers, type MintedPrincipal } from "./minted-principal.ts";
import { noticed, wrongInForce } from "./minted-subject.ts";

const rotations = 50;
/** How long the stand-in is behind itself, in all that it can be behind in. Milliseconds. */
const lagMs = 100;
/** Calls of which at least two have to lose their answer, whatever chance does. */
const effects = ["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "TagUser", "PutSecretValue"];

/** Nobody is to be asked because of noise. No time is lost that shows nothing. */
const policy = {
  ...{ graceMs: 50, disabledForMs: 50, lookEveryMs: 50, answersInRow: 3 },
  ...{ attempts: 100, retryFirstMs: 50, retryLongestMs: 500, holdAfterMs: 60_000 },
};

/** One user whose key lies in a file and in a secret, and an application on each that reloads at once. */
async function openPlace() {
  const lags = { freshKeyLagMs: lagMs, endedKeyLagMs: lagMs, listLagMs: lagMs };
  const aws = await FakeAws.start({ ...gentle, ...lags, scale: 1, pageSize: 2 });
  onTestFinished(() => aws.close());
  const world = await openWorld({
    environment: { REKEY_EGRESS_LOCAL_PORTS: new URL(aws.url).port, WORLD_AWS_LAG_MS: String(lagMs) },
  });
  onTestFinished(() => world.close());
  await world.startWorker();
  const mark = newMark();
  const user = await (await awsIssuer(aws))(mark);
  const [name = ""] = user.principals;
  // Inactive ones take a place too.
  const live = async () => Promise.resolve(aws.keysOf(name).map(({ id }) => id));
  const principal: MintedPrincipal = { ...user, live };
  const file = join(world.folder, "targets", `${mark}.env`);
  const lines = Object.entries(principal.held).map(([key, text]) => `${key}=${text}\n`);
  await writeFile(file, lines.join(""), { mode: 0o600 });
  const evidence = { wanted: "delivered", collectors: {} } as const;
  const config = { path: file, format: "dotenv", keys: principal.keys };
  const consumer = { name: "app", kind: "file", target: `file:${file}`, config, evidence };
  const stored = await registerCredential(world, { ...principal, mark, order: "overlap", policy, consumer });
  const secret = await awsSecret(aws, principal);
  onTestFinished(() => secret.close());
  await registerOverConnection(world, stored, secret.consumer);
  return {
    aws,
    world,
    name,
    writer: secret.writer,
    principal,
    ...stored,
    places: [inDotenv(file), loginIn(principal, secret.read)],
  };
}

const loginIn =
  ({ keys }: MintedPrincipal, read: () => Promise<HeldLogin>) =>
  async (): Promise<HeldLogin> => {
    const held = await read();
    return Object.fromEntries(Object.keys(keys).map((name) => [name, held[name] ?? ""]));
  };

type Place = Awaited<ReturnType<typeof openPlace>>;

/** Every twentieth call is throttled and every twentieth answer lost, by chance; of each effect some for certain. */
function makeNoise({ aws }: Pick<Place, "aws">): void {
  const counts = new Map<string, number>();
  aws.settings = { ...aws.settings, throttling: 0.05, lostAnswers: 0.05 };
  aws.interfere = ({ action }) => {
    const count = (counts.get(action) ?? 0) + 1;
    counts.set(action, count);
    return effects.includes(action) && count % 20 === 0 ? { loseAnswer: true } : undefined;
  };
}

/** What the stand-in noted of the user's keys at each change, and whenever one of its servers heard of it. */
function wrongAtAnyTime({ aws, name }: Place): readonly string[] {
  const moments = aws.historyOf(name);
  const third = moments
    .filter(({ existing }) => existing.length > 2)
    .map(({ existing }) => `a third key: ${existing.join()}`);
  const none = moments.filter(({ acceptedEverywhere }) => acceptedEverywhere.length === 0);
  const left = moments.at(-1)?.acceptedSomewhere ?? [];
  const asked = aws.calls.filter(({ action, outcome }) => action === "CreateAccessKey" && outcome === "LimitExceeded");
  return [
    ...third,
    ...none.map(({ atMs, active }) => `no key that works everywhere at ${atMs}; active: ${active.join()}`),
    ...(left.length === 1 ? [] : [`accepted in the end: ${left.join()}`]),
    ...asked.map(() => "a third key was asked for"),
  ];
}

async function ledgerOf({ ledgerUrl }: World, credentialId: string) {
  return withLedger(ledgerUrl, async (ask) => {
    const counted = async (query: string) => Number((await ask(query, [credentialId]))[0]?.["count"]);
    const ofCredential = "JOIN rotations r ON r.id = rotation_id WHERE r.credential_id = $1";
    return {
      proven: await counted("SELECT count(*) FROM rotations WHERE credential_id = $1 AND outcome = 'proven'"),
      dead: await counted("SELECT count(*) FROM versions WHERE credential_id = $1 AND state = 'proven-dead'"),
      holds: await counted(`SELECT count(*) FROM holds ${ofCredential}`),
      openIntents: await counted(`SELECT count(*) FROM operations o ${ofCredential} AND o.state = 'open'`),
    };
  });
}

/** Of calls with keys of rekey's own: what the witnesses met of the noise does not count. */
function noiseOf({ aws, writer }: Place) {
  const own = new Set(["rekey", writer].flatMap((user) => aws.keysOf(user).map(({ id }) => id)));
  const calls = aws.calls.filter(({ accessKeyId = "" }) => own.has(accessKeyId));
  const lost = calls.filter(({ isAnswered, isApplied }) => isApplied && !isAnswered);
  return {
    calls: calls.length,
    throttled: calls.filter(({ outcome }) => outcome.startsWith("Throttling")).length,
    lost: lost.length,
    lostBy: new Map(effects.map((effect) => [effect, lost.filter(({ action }) => action === effect).length])),
  };
}

describe.runIf(hasTemporal)("fifty rotations of one user's access key", () => {
  test("with every twentieth call throttled and every twentieth answer lost leave the one key that the ledger says, with never none that works and never a third", async () => {
    const beganAt = performance.now();
    const place = await openPlace();
    const { aws, world, principal, credentialId, places } = place;
    const sentinels = await Promise.all(places.map(async (read) => startSentinel(read, principal.logsIn)));
    const inForce = async () =>
      withLedger(world.ledgerUrl, async (ledger) => strangers(principal, ledger, credentialId));
    makeNoise(place);
    for (let count = 1; count <= rotations; count += 1) {
      expect(await untilClosed(world, await place.rotate())).toMatchObject({ outcome: "proven" });
      expect(await inForce()).toEqual([]);
    }
    const reports = await Promise.all(sentinels.map(async (sentinel) => sentinel.close()));
    const wrong = await Promise.all(reports.map(async (report) => wrongInForce(principal, report)));
    expect([...wrongAtAnyTime(place), ...reports.flatMap(noticed), ...wrong.flat()]).toEqual([]);
    for (const { held } of reports) expect(held).toHaveLength(rotations + 1);
    expect(new Set(reports.map(({ held }) => JSON.stringify(held.at(-1)))).size).toBe(1);
    expect(await ledgerOf(world, credentialId)).toEqual({
      proven: rotations,
      dead: rotations,
      holds: 0,
      openIntents: 0,
    });

    const { calls, throttled, lost, lostBy } = noiseOf(place);
    expect(Math.min(throttled, lost)).toBeGreaterThan(calls / 40);
    expect(Math.min(...lostBy.values())).toBeGreaterThan(1);
    const made = aws.identities.everyKeyOf(place.name).length;
    expect(made).toBeGreaterThan(rotations + 1);
    const logins = reports.map((report) => report.logins).join(" and ");
    process.stdout.write(
      `${rotations} rotations in ${((performance.now() - beganAt) / 1000).toFixed(0)} s: of ${calls} calls ${throttled} were throttled and ${lost} lost their answer (${[...lostBy].map(([action, count]) => `${action} ${count}`).join(", ")}); ${made} keys were made; ${logins} logins with what lay there, none refused\n`,
    );
  }, 1_800_000);
});
