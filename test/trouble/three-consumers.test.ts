import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConsumer } from "../../ledger/registry.ts";
import { kubernetesSecret } from "../../providers/consumers/kubernetes-secret/definition.ts";
import { annotationOf } from "../../providers/consumers/kubernetes-secret/owners.ts";
import { rulesFor } from "../../providers/consumers/kubernetes-secret/rights.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { hasKubernetes } from "../harness/kubernetes.ts";
import type { KubeObject } from "../harness/kubernetes-api.ts";
import { deployment, serviceAccount } from "../harness/kubernetes-secret.ts";
import { registerOverConnection } from "../harness/over-connection.ts";
import { register } from "../harness/registered.ts";
import { answerHold, auditActions, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { withKubernetes } from "../harness/with-kubernetes.ts";
import { newMark, openWorld, untilClosed, untilHeld, type World } from "../harness/world.ts";

const example = new URL("../../examples/exec-consumer/serve.mjs", import.meta.url).href;
/**
 * The example program with trouble, which a file names: a login that it does not take, and a folder that it opens to
 * everybody once it has been given a login.
 */
const program = `
  import { chmodSync, readFileSync } from "node:fs";
  import { text } from "node:stream/consumers";
  import { serve } from ${JSON.stringify(example)};
  const request = JSON.parse(await text(process.stdin));
  const folder = process.argv[1];
  const trouble = JSON.parse(readFileSync(folder + "/trouble-" + request.target, "utf8"));
  const isDelivery = request.action === "deliver";
  const isRefused = isDelivery && request.value.username === trouble.refuses;
  const answer = isRefused ? { error: "value_unfit" } : serve(request, folder);
  if (isDelivery && trouble.opens !== undefined) chmodSync(trouble.opens, 0o777);
  process.stdout.write(JSON.stringify({ protocol: 1, id: request.id, ...answer }));
`;

describe.runIf(hasTemporal)("a file, a Secret of Kubernetes and a program", () => {
  const kube = withKubernetes();
  let folder: string;
  let world: World;

  beforeAll(async () => {
    if (!hasKubernetes) return;
    folder = await mkdtemp(join(tmpdir(), "rk-three-"));
    world = await openWorld();
    const programs = join(folder, "programs");
    const argv = [process.execPath, "--input-type=module", "-e", program, folder];
    await writeFile(programs, JSON.stringify({ store: { argv, timeoutMs: 60_000 } }));
    await world.startWorker({
      REKEY_EXEC_CONSUMERS_FILE: programs,
      REKEY_EGRESS_LOCAL_PORTS: new URL(kube().server).port,
    });
  }, 240_000);

  afterAll(async () => {
    await world?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  /** All three have what the application has today. Deliveries go by the names of the consumers. */
  async function atThree(names: { readonly program: string; readonly pods: string }) {
    const place = join(world.folder, "targets", newMark());
    await mkdir(place, { mode: 0o700 });
    const orders = await register(world, { folder: place });
    const today = { username: orders.logins[0] ?? "", password: orders.password };
    const target = newMark();
    const stored = join(folder, `${target}.json`);
    await writeFile(stored, JSON.stringify(today));
    const trouble = async (what: object) => writeFile(join(folder, `trouble-${target}`), JSON.stringify(what));
    await trouble({});
    const { rows } = await sql<{ team_id: string }>`
      SELECT team_id FROM credentials WHERE id = ${orders.credentialId}`.execute(world.ledger.db);
    await transact(world.ledger, async (trx) =>
      storeConsumer(
        trx,
        {
          id: newId("consumer"),
          credentialId: orders.credentialId,
          teamId: rows[0]?.team_id ?? "",
          name: names.program,
          kind: "exec",
          target: `exec:store:${target}`,
          config: { program: "store", target, fields: ["username", "password"] },
          evidence: { wanted: "delivered", collectors: {} },
        },
        { actor: "tok_test", isNew: true, changes: [] },
      ),
    );

    const namespace = await kube().namespace();
    const core = `/api/v1/namespaces/${namespace}`;
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    await kube().must("POST", `${core}/secrets`, {
      metadata: { name: "orders" },
      data: { MODE: base64("live"), DB_USER: base64(today.username), DB_PASSWORD: base64(today.password) },
    });
    await kube().must("POST", `/apis/apps/v1/namespaces/${namespace}/deployments`, deployment("orders", "orders"));
    const first = await kube().until(`${core}/pods`, (pods) => pods.filter(isReady).length === 2, "two pods");
    const config = kubernetesSecret.configSchema.parse({
      namespace,
      secret: "orders",
      keys: { DB_USER: "username", DB_PASSWORD: "password" },
      workloads: ["Deployment/orders"],
    });
    const { server, ca } = kube();
    const { consumerId } = await registerOverConnection(world, orders, {
      definition: kubernetesSecret,
      name: names.pods,
      config,
      settings: (team) => ({ server, ca, namespaces: { [team]: [namespace] } }),
      secret: { token: new Secret(await serviceAccount(kube(), namespace, rulesFor(config))) },
      evidence: { collectors: { platform: { instances: 2 } } },
    });

    /** What each of the three has, read past rekey. */
    async function seen() {
      const text = await readFile(orders.file, "utf8");
      const secret = await kube().must("GET", `${core}/secrets/orders`);
      const store = JSON.parse(await readFile(stored, "utf8")) as Record<string, string>;
      return { file: text, secret: secret.data ?? {}, store };
    }
    /** The login that each has. */
    async function logins() {
      const { file, secret, store } = await seen();
      return {
        file: /^DB_USER=["']?([^"'\n]*)/m.exec(file)?.[1],
        secret: Buffer.from(secret["DB_USER"] ?? "", "base64").toString(),
        store: store["username"],
      };
    }
    /** Two pods run, both made for the delivery that lies in the Secret now. */
    async function podsFollow() {
      const key = annotationOf(consumerId);
      const { metadata } = await kube().must("GET", `${core}/secrets/orders`);
      const newest = metadata.annotations?.[key];
      expect(newest).toMatch(/\d/);
      const follows = (pod: KubeObject) =>
        isReady(pod) && pod.metadata.annotations?.[key]?.startsWith(`${newest}@`) === true;
      await kube().until(
        `${core}/pods`,
        (pods) => pods.length === 2 && pods.every(follows),
        "the pods of the delivery",
      );
    }
    return {
      orders,
      place,
      trouble,
      namespace,
      first,
      seen,
      logins,
      podsFollow,
      all: (login: string | undefined) => ({ file: login, secret: login, store: login }),
    };
  }

  type Three = Awaited<ReturnType<typeof atThree>>;

  /** Nobody outside can tell that anything was tried. */
  async function expectUndone({ orders, seen, podsFollow }: Three, rotationId: string, before: unknown): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await seen()).toEqual(before);
    await podsFollow();
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "live" }, { state: "proven-dead" }]);
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    const [role] = await world.issuer.ask(
      `SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = '${orders.logins[1]}'`,
    );
    expect(role).toEqual({ rolcanlogin: false, rolpassword: null });
    expect((await orders.shop.close()).failures).toEqual([]);
  }

  const deliveries = async (rotationId: string) =>
    (await auditActions(world, rotationId)).filter((action) => action === "consumer.delivered").length;

  async function failuresOf(rotationId: string) {
    const { rows } = await sql<{ code: string; why: string }>`
      SELECT details ->> 'code' AS code, details ->> 'why' AS why FROM audit
      WHERE rotation_id = ${rotationId} AND action = 'step.failed' ORDER BY id`.execute(world.ledger.db);
    return rows;
  }

  it("have the same new login after a rotation", async () => {
    const three = await atThree({ program: "a-store", pods: "b-pods" });
    const rotationId = await three.orders.rotate();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await three.logins()).toEqual(three.all(three.orders.logins[1]));
    await three.podsFollow();
    expect((await three.orders.shop.close()).failures).toEqual([]);
  });

  it("are all undone when the program does not take the new value, which the others have already", async () => {
    const three = await atThree({ program: "z-store", pods: "b-pods" });
    await three.trouble({ refuses: three.orders.logins[1] });
    const before = await three.seen();
    const rotationId = await three.orders.rotate();
    await expectUndone(three, rotationId, before);
    expect(await failuresOf(rotationId)).toEqual([
      { code: "value_unfit", why: expect.stringContaining("Consumer z-store") },
    ]);
    // Two had the new value; each of the three was given the former one.
    expect(await deliveries(rotationId)).toBe(5);
  });

  it("are all undone when the pods do not come up with the new value", async () => {
    const three = await atThree({ program: "a-store", pods: "b-pods" });
    const before = await three.seen();
    const known = new Set(three.first.map((pod) => pod.metadata.uid));
    kube().kubelet.decide(three.namespace, (pod) => (known.has(pod.metadata.uid) ? "ready" : "crash"));
    const rotationId = await three.orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "evidence_missing" });
    expect(hold.detail).toContain("b-pods");
    expect(await three.logins()).toEqual(three.all(three.orders.logins[1]));
    kube().kubelet.decide(three.namespace, () => "ready");
    await answerHold(world, rotationId, "roll-back");
    await expectUndone(three, rotationId, before);
  });

  it("are all undone when the file cannot be written any more, once the others have the new value", async () => {
    const three = await atThree({ program: "a-store", pods: "b-pods" });
    const before = await three.seen();
    await three.trouble({ opens: three.place });
    const rotationId = await three.orders.rotate();
    await expectUndone(three, rotationId, before);
    expect(await failuresOf(rotationId)).toEqual([
      { code: "target_refused", why: expect.stringContaining("Consumer shop") },
    ]);
    // The file was never reached: two had the new value, and got the former one.
    expect(await deliveries(rotationId)).toBe(4);
  });
});

function isReady({ status }: KubeObject): boolean {
  const conditions = (status?.["conditions"] ?? []) as readonly { readonly type: string; readonly status: string }[];
  return conditions.some((one) => one.type === "Ready" && one.status === "True");
}
