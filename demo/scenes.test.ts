import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild } from "./child.ts";
import { openClosers, type Closers } from "./closers.ts";
import { readStats, startLoad } from "./load.ts";
import { readLogin, writeLogin } from "./login-file.ts";
import { newPassword, runStatements, startOrdersCluster, type Login, type OrdersCluster } from "./orders-cluster.ts";
import type { Rekey, RotationView } from "./rekey.ts";
import { playScene, type PlayedScene, type Scene, type Stage } from "./scene.ts";
import { forgottenUser } from "./scenes/forgotten-user.ts";
import { stubbornConsumer } from "./scenes/stubborn-consumer.ts";
import { underLoad } from "./scenes/under-load.ts";
import { openScreen } from "./screen.ts";
import { openWitness } from "./witness.ts";

/** What the rotator under test does to the shop; the scenes have to tell a good one from a bad one. */
interface Deeds {
  readonly cluster: OrdersCluster;
  readonly stage: Stage;
  readonly former: Login;
  readonly next: Login;
  issue(): Promise<void>;
  moved(): Promise<void>;
  end(login: Login): Promise<void>;
}
type View = Omit<RotationView, "id" | "direction" | "phases">;
/** Yields a hold and goes on with the answer it gets. */
type Rotator = (deeds: Deeds) => AsyncGenerator<View, void, string | undefined>;

const phases = ["reserved", "issued", "delivered", "adopted", "promoted", "closed"].map((phase) => ({ phase }));
const view = (phase: string, more: Partial<View> = {}): View => ({
  phase,
  outcome: undefined,
  hold: undefined,
  ...more,
});
const hold = (phase: string, code: string, text: string): View =>
  view(phase, { hold: { number: 1, code, detail: "look", gaps: [{ key: code, code, text }] } });

let closers: Closers;
let cluster: OrdersCluster;
let stage: Stage;
let rotator: Rotator;
let shown: PassThrough;

beforeEach(async () => {
  closers = openClosers();
  const folder = await mkdtemp(join(tmpdir(), "rk-"));
  closers.add(() => rm(folder, { recursive: true, force: true }));
  cluster = await closers.begin(startOrdersCluster({ folder: join(folder, "pg") }), (one) => one.stop());
  const file = join(folder, "service.env");
  await writeLogin(file, cluster.today);
  const shop = startChild("order-service", ["--file", file, "--poll-every", "50"]);
  closers.add(() => shop.stop());
  const service = `http://127.0.0.1:${String((await shop.until("listening"))["port"])}`;
  const load = startLoad(service);
  closers.add(() => load.stop());
  const witness = await closers.begin(openWitness(cluster.keeper), (one) => one.close());
  shown = new PassThrough();
  const { signal } = new AbortController();
  const rest = { upPid: 0, witness, load, service, file, credential: "shop/orders", closers, signal };
  stage = { screen: openScreen(shown), rekey: handmade(), ...rest };
});
afterEach(() => closers.close());

/** A rotator of a few lines of SQL in the place of the product. */
function handmade(): Rekey {
  let running: AsyncGenerator<View, void, string | undefined>;
  let answer: string | undefined;
  return {
    apply: () => Promise.reject(new Error("not asked for")),
    adopt: () => Promise.reject(new Error("not asked for")),
    async rotate() {
      const former = await readLogin(stage.file);
      const next = { ...former, user: "orders_b", password: newPassword() };
      running = rotator({
        cluster,
        stage,
        former,
        next,
        issue: () =>
          runStatements(cluster.admin, [`ALTER ROLE ${next.user} LOGIN PASSWORD ${pg.escapeLiteral(next.password)}`]),
        async moved() {
          while ((await readStats(stage.service)).user !== next.user) await sleep(20);
        },
        end: ({ user }) =>
          runStatements(cluster.admin, [
            `ALTER ROLE ${user} NOLOGIN PASSWORD NULL`,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${user}'`,
          ]),
      });
      return "rot_1";
    },
    async follow(id, answered, onChange) {
      for (;;) {
        const { value } = await running.next(answer);
        if (value === undefined) throw new Error("the rotator ended without an outcome");
        const now: RotationView = { id, direction: "forward", phases, ...value };
        onChange(now);
        if (now.outcome !== undefined || (now.hold?.number ?? 0) > answered) return now;
      }
    },
    decide: (_, __, decision) => Promise.resolve((answer = decision)),
  };
}

async function play(scene: Scene, by: Rotator): Promise<PlayedScene & { readonly text: string }> {
  rotator = by;
  const played = await playScene(scene, stage);
  return { ...played, text: String(shown.read()) };
}

test("a rotation that nobody noticed is told as one, with the time until the old login was refused", async () => {
  const { isGood, result, text } = await play(underLoad, async function* ({ stage: { file }, ...to }) {
    await to.issue();
    yield view("issued");
    await writeLogin(file, to.next);
    yield view("delivered");
    await to.moved();
    await to.end(to.former);
    yield view("closed", { outcome: "proven" });
  });
  expect(isGood).toBe(true);
  expect(result).toMatchObject({ outcome: "proven", failedStatements: 0, refusedLogins: 0 });
  expect(result.ordersPlaced).toBeGreaterThan(0);
  expect(result.refusedAfterMs).toBeGreaterThan(0);
  expect(text).toMatch(/witness +tried the old password itself: refused \(28P01\)/);
});

test("a rotator that ends the old login before the service has moved is found out", async () => {
  const { isGood, text } = await play(underLoad, async function* (to) {
    await to.issue();
    const before = (await stage.load.counts()).failedStatements;
    await to.end(to.former);
    while ((await stage.load.counts()).failedStatements === before) await sleep(20);
    await writeLogin(stage.file, to.next);
    yield view("closed", { outcome: "proven" });
  });
  expect(isGood).toBe(false);
  expect(text).toMatch(/✗ .* failed statements/);
});

test("a roll-back that leaves everybody as they were is told as one", async () => {
  const { isGood, result, text } = await play(stubbornConsumer, async function* ({ stage: { file }, ...to }) {
    await to.issue();
    await writeLogin(file, to.next);
    const answer = yield hold("delivered", "evidence_missing", "order-service shows version 1");
    expect(answer).toBe("roll-back");
    await writeLogin(file, to.former);
    await to.end(to.next);
    yield view("closed", { outcome: "undone" });
  });
  expect(isGood).toBe(true);
  expect(result.refusedAfterMs).toBeUndefined();
  expect(text).toContain("orders_a: accepted, orders_b: accepted");
});

test("an undo that leaves the candidate in the file is found out", async () => {
  const { isGood, text } = await play(stubbornConsumer, async function* ({ stage: { file }, ...to }) {
    await to.issue();
    await writeLogin(file, to.next);
    yield hold("delivered", "evidence_missing", "order-service shows version 1");
    yield view("closed", { outcome: "undone" });
  });
  expect(isGood).toBe(false);
  expect(text).toContain("✗ the file does not hold the former login");
});

test("a forgotten user that is named and ended by a decision is told as one, and one that is not named is found out", async () => {
  const rotation = (names: string): Rotator =>
    async function* ({ stage: { file }, ...to }) {
      await to.issue();
      await writeLogin(file, to.next);
      await to.moved();
      while ((await stage.witness.sessionsOn(to.former.user)).join() !== "forgotten-report") await sleep(20);
      yield hold("promoted", "stranger_seen", names);
      await to.end(to.former);
      yield view("closed", { outcome: "proven" });
    };
  const good = await play(forgottenUser, rotation('orders_a from 127.0.0.1 (application "forgotten-report")'));
  expect(good.isGood).toBe(true);
  expect(good.text).toMatch(/report +its session was ended by the server \(57P01\)/);

  await runStatements(cluster.admin, [
    `ALTER ROLE orders_a LOGIN PASSWORD ${pg.escapeLiteral(cluster.today.password)}`,
  ]);
  await writeLogin(stage.file, cluster.today);
  while ((await readStats(stage.service)).user !== "orders_a") await sleep(20);
  const bad = await play(forgottenUser, rotation("somebody uses it"));
  expect(bad.isGood).toBe(false);
  expect(bad.text).toContain("✗ no hold named forgotten-report");
});
