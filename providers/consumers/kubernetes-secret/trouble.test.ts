import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { RekeyError } from "../../../domain/errors.ts";
import { deployment, newConsumer, openSecret, serviceAccount } from "../../../test/harness/kubernetes-secret.ts";
import { proxyHttp } from "../../../test/harness/proxy/http.ts";
import { withKubernetes } from "../../../test/harness/with-kubernetes.ts";
import type { Delivery } from "../../contract/consumer.ts";
import { Secret } from "../../contract/secret.ts";
import { rulesFor } from "./rights.ts";

const kube = withKubernetes();

const keys = { DB_PASSWORD: "password" };
const freshText = () => randomBytes(18).toString("base64url");
const delivery = (number: number, text = freshText(), expected?: string): Delivery => ({
  version: number,
  number: { epoch: 1, number },
  value: { password: new Secret(text) },
  ...(expected === undefined ? {} : { expected }),
});

interface Place {
  readonly namespace: string;
  readonly path: string;
  readonly config: {
    readonly namespace: string;
    readonly secret: string;
    readonly keys: Record<string, string>;
    readonly workloads: string[];
  };
  text(key?: string): Promise<string | undefined>;
  /** As another writer of the Secret. */
  write(by: string, patch: unknown): Promise<unknown>;
}

/** A Secret and the Deployment that reads it. */
async function place(metadata: object = {}, data: Record<string, string> = {}): Promise<Place> {
  const namespace = await kube().namespace();
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const path = `${secrets}/orders`;
  await kube().must("POST", `${secrets}?fieldManager=setup`, { metadata: { name: "orders", ...metadata }, data });
  await kube().must("POST", `/apis/apps/v1/namespaces/${namespace}/deployments`, deployment("orders", "orders"));
  return {
    namespace,
    path,
    config: { namespace, secret: "orders", keys, workloads: ["Deployment/orders"] },
    async text(key = "DB_PASSWORD") {
      const found = (await kube().must("GET", path)).data?.[key];
      return found === undefined ? undefined : Buffer.from(found, "base64").toString();
    },
    write: (by, patch) => kube().must("PATCH", `${path}?fieldManager=${by}`, patch, "merge-patch+json"),
  };
}

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it must fail with an error of ours", { cause: error });
}

const encoded = (text: string) => Buffer.from(text).toString("base64");

describe("an API server in trouble", () => {
  /** Meets the first writes with these, one after the other. */
  async function meeting(
    ...trouble: readonly { readonly status: number; readonly headers?: Record<string, string> }[]
  ) {
    const there = await place();
    const proxy = await proxyHttp(kube().server, kube());
    onTestFinished(() => proxy.close());
    const body = { kind: "Status", message: "made by the test" };
    const left = trouble.map((answer) => ({ do: "answer", body, ...answer }) as const);
    proxy.each(({ method }) => (method === "PATCH" ? left.shift() : undefined));
    return { ...there, left, session: await openSecret(kube(), { config: there.config, server: proxy.url }) };
  }

  test.each([409, 429, 503])(
    "%d on the way is gone through by looking again, and the value arrives",
    async (status) => {
      const headers = { "retry-after": "0" };
      const { session, text, left } = await meeting({ status, headers }, { status, headers });
      const value = freshText();
      await session.deliver(delivery(1, value));
      expect(await text()).toBe(value);
      expect(left).toEqual([]);
    },
  );

  test.each([
    [429, "target_unreachable", "TransientError"],
    [500, "target_unreachable", "TransientError"],
    [503, "target_unreachable", "TransientError"],
    [401, "target_auth_failed", "OperatorNeededError"],
    [403, "target_refused", "OperatorNeededError"],
    [422, "target_refused", "PermanentError"],
    [302, "target_refused", "OperatorNeededError"],
  ])("%d is %s (%s), and the server's own words are not in it", async (status, code, name) => {
    const { session, text } = await meeting({ status, headers: { "retry-after": "600" } });
    const error = await failing(session.deliver(delivery(1)));
    expect(error).toMatchObject({ code, name });
    expect(error.detail).not.toContain("made by the test");
    expect(await text()).toBeUndefined();
  });

  test("a conflict that does not end is given up, to be tried again", async () => {
    const { session } = await meeting(...Array.from({ length: 20 }, () => ({ status: 409 })));
    expect(await failing(session.deliver(delivery(1)))).toMatchObject({ code: "target_drift", name: "TransientError" });
  });

  test("a token that has ended is told from a missing right", async () => {
    const { config } = await place();
    const session = await openSecret(kube(), { config, token: randomBytes(12).toString("hex") });
    const error = await failing(session.observe());
    expect(error).toMatchObject({ code: "target_auth_failed", name: "OperatorNeededError" });
    expect(error.detail).toContain("kubectl create token");
    expect((await session.preflight()).map(({ code }) => code)).toEqual(["target_auth_failed"]);
  });

  test("what answers at the address and is no API server is not believed", async () => {
    const { config } = await place();
    const proxy = await proxyHttp(kube().server, kube());
    onTestFinished(() => proxy.close());
    proxy.each(() => ({ do: "answer", status: 200, body: { hello: 1 } }));
    const session = await openSecret(kube(), { config, server: proxy.url });
    expect((await failing(session.observe())).code).toBe("target_malformed");
  });
});

describe("rights", () => {
  test("RBAC that forbids the restart is found before anything is done, with the rule to add", async () => {
    const { config, namespace } = await place();
    const rules = rulesFor(config).flatMap((rule) => {
      if (rule.resources.includes("pods")) return [];
      return rule.names?.includes("orders") === true && rule.group === "apps" ? [{ ...rule, verbs: ["get"] }] : [rule];
    });
    const session = await openSecret(kube(), { config, token: await serviceAccount(kube(), namespace, rules) });
    const [finding, ...others] = await session.preflight();
    expect(others).toEqual([]);
    expect(finding?.code).toBe("right_missing");
    expect(finding?.detail).toBe(
      `The connection's service account may not patch deployments.apps orders, list pods, list resourcequotas in namespace ${namespace}. Add this to the rules of its Role there, then retry:
  - apiGroups: ["apps"]
    resources: [deployments]
    resourceNames: ["orders"]
    verbs: [patch]
  - apiGroups: [""]
    resources: [pods, resourcequotas]
    verbs: [list]`,
    );
  });

  test("a restart that is forbidden at last leaves a hold that a person can answer by hand", async () => {
    const { config, namespace } = await place();
    const token = await serviceAccount(kube(), namespace, rulesFor({ ...config, restart: false }));
    const session = await openSecret(kube(), { config, token });
    await session.deliver(delivery(7));
    const error = await failing(session.reload?.() ?? Promise.resolve());
    expect(error).toMatchObject({ code: "reload_failed", name: "OperatorNeededError" });
    expect(error.detail).toContain("may not get deployments.apps orders");
    expect(error.detail).toContain(`kubectl -n ${namespace} patch deployment orders --type merge -p '{"spec"`);
  });

  test("a change that an admission policy refuses is not taken for a missing right", async () => {
    const { config, namespace, text } = await place();
    const policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic";
    const metadata = { name: `frozen-${namespace}` };
    await kube().must("POST", `${policies}ies`, {
      metadata,
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["secrets"], operations: ["UPDATE"] }],
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        },
        validations: [
          { expression: "object.metadata.name == 'none'", reason: "Forbidden", message: "made by the test" },
        ],
      },
    });
    await kube().must("POST", `${policies}ybindings`, {
      metadata,
      spec: { policyName: metadata.name, validationActions: ["Deny"] },
    });
    const session = await openSecret(kube(), { config });
    // A policy comes into force a moment after it was made: until then the Secret can be written.
    const tried = { metadata: { labels: { tried: "1" } } };
    const path = `/api/v1/namespaces/${namespace}/secrets/orders`;
    await expect
      .poll(async () => (await kube().call("PATCH", path, tried, "merge-patch+json")).status, { timeout: 30_000 })
      .toBe(403);
    const error = await failing(session.deliver(delivery(1)));
    expect(error).toMatchObject({ code: "target_refused", name: "OperatorNeededError" });
    expect(error.detail).toContain("an admission policy or webhook of the cluster refuses the change");
    expect(error.detail).not.toContain("made by the test");
    expect(await text()).toBeUndefined();
  });

  test("the least rights are enough for everything, and let nothing else be read", async () => {
    const { config, namespace } = await place();
    const token = await serviceAccount(kube(), namespace, rulesFor(config));
    const session = await openSecret(kube(), { config, token });
    expect(await session.preflight([{ password: new Secret(freshText()) }])).toEqual([]);
    await session.deliver(delivery(1));
    await session.reload?.();
    await session.instances?.();
    const other = await openSecret(kube(), { config: { ...config, secret: "other" }, token });
    expect((await failing(other.observe())).code).toBe("right_missing");
  });
});

describe("a Secret with other hands on it", () => {
  test("two consumers with different keys deliver into one Secret without a fight", async () => {
    const { config, text } = await place();
    const one = await openSecret(kube(), { config, consumer: newConsumer() });
    const two = await openSecret(kube(), {
      config: { ...config, keys: { OTHER: "password" } },
      consumer: newConsumer(),
    });
    const [first, second, third] = [freshText(), freshText(), freshText()];
    await one.deliver(delivery(5, first));
    // Numbers rise per target and registration: a lower one of another registration is not late.
    await two.deliver(delivery(4, second));
    await one.deliver(delivery(6, third));
    expect([await text(), await text("OTHER")]).toEqual([third, second]);
    expect([(await one.observe()).number?.number, (await two.observe()).number?.number]).toEqual([6, 4]);
    expect([await one.preflight(), await two.preflight()]).toEqual([[], []]);
  });

  test("one key that two consumers deliver is refused and the other one named, until its mark is gone", async () => {
    const { config, write, text } = await place();
    const [mine, other] = [newConsumer(), newConsumer()];
    await (await openSecret(kube(), { config, consumer: other })).deliver(delivery(1));
    const session = await openSecret(kube(), { config, consumer: mine });
    const before = await text();
    const [finding] = await session.preflight();
    expect(finding).toMatchObject({ code: "target_refused" });
    expect(finding?.detail).toContain(`another consumer of rekey, ${other}`);
    expect((await failing(session.deliver(delivery(1)))).code).toBe("target_refused");
    expect(await text()).toBe(before);
    await write("kubectl", { metadata: { annotations: { [`rekey/delivery.${other}`]: null } } });
    expect(await session.preflight()).toEqual([]);
    await session.deliver(delivery(1));
  });

  test("a Secret that is not there is told with what the workloads read, so that a wrong name is not made", async () => {
    const { config, namespace } = await place();
    const session = await openSecret(kube(), { config: { ...config, secret: "order" } });
    const text = `There is no Secret order in namespace ${namespace}. Is the name right? The registered workloads read: orders. Correct \`secret\` in the manifest and apply it; only if the Secret was deleted, restore it with what it held. Then retry.`;
    expect(await session.preflight()).toEqual([{ code: "target_unreachable", detail: text }]);
    expect((await failing(session.observe())).detail).toBe(text);
    const blind = await openSecret(kube(), { config: { ...config, secret: "order", restart: false } });
    expect((await failing(blind.observe())).detail).toContain("Is the name right? Correct `secret`");
  });

  test("an immutable Secret is refused before and at the delivery, with what to do", async () => {
    const { config, write } = await place();
    await write("kubectl", { immutable: true });
    const session = await openSecret(kube(), { config });
    expect((await session.preflight()).map(({ code }) => code)).toEqual(["target_read_only"]);
    const error = await failing(session.deliver(delivery(1)));
    expect(error.code).toBe("target_read_only");
    expect(error.detail).toContain("kubectl replace --force");
  });

  test("today's value, written by kubectl, is taken over; anything else is not", async () => {
    const today = freshText();
    const { config, text } = await place({}, { DB_PASSWORD: encoded(today) });
    const session = await openSecret(kube(), { config });
    const { digest, holds, isEmpty } = await session.observe();
    expect([isEmpty, holds({ password: new Secret(today) })]).toEqual([false, true]);
    const refused = await failing(session.deliver(delivery(1, freshText(), `${digest}x`)));
    expect(refused.code).toBe("target_drift");
    expect(refused.detail).toContain('Key DB_PASSWORD was written by "setup"');
    expect(await text()).toBe(today);
    const next = freshText();
    await session.deliver(delivery(1, next, digest));
    expect(await text()).toBe(next);
  });

  test.each([
    ["Argo CD", { annotations: { "argocd.argoproj.io/tracking-id": "shop:/Secret:shop/orders" } }, "ignoreDifferences"],
    ["Flux", { labels: { "kustomize.toolkit.fluxcd.io/name": "shop" } }, "out of the manifest in Git"],
    ["Helm", { labels: { "app.kubernetes.io/managed-by": "Helm" } }, "out of the chart"],
  ])(
    "%s as the keeper of our keys is named, until the registration says that it leaves them",
    async (name, metadata, advice) => {
      const { config } = await place(metadata, { DB_PASSWORD: encoded(freshText()) });
      const [finding] = await (await openSecret(kube(), { config })).preflight();
      expect(finding).toMatchObject({ code: "target_drift" });
      expect(finding?.detail).toContain(`${name} keeps this Secret`);
      expect(finding?.detail).toContain(advice);
      expect(await (await openSecret(kube(), { config: { ...config, takesOver: true } })).preflight()).toEqual([]);
    },
  );

  test("a GitOps controller that keeps the Secret and leaves our keys alone stops nothing", async () => {
    const { config } = await place({ labels: { "app.kubernetes.io/managed-by": "Helm" } }, { MODE: encoded("live") });
    const session = await openSecret(kube(), { config });
    expect(await session.preflight()).toEqual([]);
    await session.deliver(delivery(1));
    expect(await session.preflight()).toEqual([]);
  });

  test("a controller that puts its own value back is seen and named, and its value is not overwritten", async () => {
    const { config, write, text } = await place();
    const session = await openSecret(kube(), { config });
    const { digest } = await session.deliver(delivery(1));
    const theirs = freshText();
    await write("argocd-controller", { data: { DB_PASSWORD: encoded(theirs) } });
    expect((await session.observe()).foreignHands).toContain('Key DB_PASSWORD was written by "argocd-controller" at ');
    const error = await failing(session.deliver(delivery(2, freshText(), digest)));
    expect(error.code).toBe("target_drift");
    expect(error.detail).toContain('"argocd-controller"');
    expect(await text()).toBe(theirs);
    expect((await session.preflight())[0]?.detail).toContain("Argo CD keeps this Secret");
    expect((await session.instances?.())?.lacks[0]).toContain('written by "argocd-controller"');
  });

  test("a rehearsal goes the way of a delivery and leaves no trace", async () => {
    const { config, path, write } = await place({}, { DB_PASSWORD: encoded(freshText()) });
    const session = await openSecret(kube(), { config });
    const before = await kube().must("GET", path);
    const value = { password: new Secret(freshText()) };
    expect(await session.rehearse?.(value)).toContain("took a made-up value for DB_PASSWORD as a dry run");
    expect(await kube().must("GET", path)).toEqual(before);
    await write("kubectl", { immutable: true });
    expect((await failing(session.rehearse?.(value) ?? Promise.resolve())).code).toBe("target_read_only");
  });

  test("the previous value goes back under a higher number, as in an undo", async () => {
    const today = freshText();
    const { config, text } = await place({}, { DB_PASSWORD: encoded(today) });
    const session = await openSecret(kube(), { config });
    const { digest } = await session.deliver(delivery(1, freshText(), (await session.observe()).digest));
    await session.deliver(delivery(2, today, digest));
    expect(await text()).toBe(today);
    expect((await session.observe()).number).toEqual({ epoch: 1, number: 2 });
  });
});
