import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { connectionBinding } from "../custody/refs.ts";
import { createScrubber } from "../custody/scrubber.ts";
import type { ConsumerCase } from "../ledger/rotation-cases.ts";
import type { ConsumerDefinition, ConsumerOpening } from "../providers/contract/consumer.ts";
import { Secret } from "../providers/contract/secret.ts";
import { createCallCounts } from "./count-calls.ts";
import { instancesOf, withConsumer } from "./reach-consumer.ts";

const token = randomBytes(16).toString("hex");
const accepting = { parse: (given: unknown) => given };

/** A rotation with one consumer over a connection, without a ledger; each test changes what it is about. */
function scene(
  change: { readonly definition?: Partial<ConsumerDefinition>; readonly pinned?: number; readonly secret?: null } = {},
) {
  const opened: ConsumerOpening<unknown>[] = [];
  const definition = {
    kind: "remote",
    connectionKind: { kind: "cluster", connectionSchema: accepting },
    configSchema: accepting,
    open: (opening: ConsumerOpening<unknown>) => {
      opened.push(opening);
      return Promise.resolve({ instances: () => Promise.resolve({ instances: [], lacks: ["nobody runs"] }) });
    },
    ...change.definition,
  };
  const scrubber = createScrubber();
  const asked: string[] = [];
  const deps = {
    catalog: { consumers: { remote: definition } },
    custody: {
      get: ({ binding = "" }) => {
        asked.push(binding);
        return Promise.resolve(change.secret === null ? undefined : { token: new Secret(token) });
      },
    },
    scrubber,
    calls: createCallCounts(),
    allowed: { roots: [], reloads: {} },
    observationKeys: { newest: { id: "key_1", key: new Uint8Array(32) } },
  };
  const settings = { server: "https://cluster.internal" };
  const connection = { id: "cnn_1", name: "shop/cluster", kind: "cluster", settings, pool: "default", revision: 2 };
  const consumer = {
    consumerId: "con_1",
    team: "shop",
    name: "pods",
    kind: "remote",
    target: "remote:x",
    config: { space: "web" },
    connection: { ...connection, secret_row: "val_1", secret_revision: 1, identity: undefined },
  } as unknown as ConsumerCase;
  const one = { instance: "ins_1", pinned: { consumers: {}, connections: { cnn_1: change.pinned ?? 2 } } };
  return { given: { deps, one, context: {} } as never, consumer, scrubber, opened, asked };
}

describe("a consumer that is reached over a connection", () => {
  it("is opened with the settings and the secret, which the scrubber holds no longer than the work", async () => {
    const { given, consumer, scrubber, opened, asked } = scene();
    const said = await withConsumer(given, consumer, () => Promise.resolve(scrubber.scrub(`the token ${token}`)));
    expect(said).toBe("the token [secret]");
    expect(opened[0]?.connection).toEqual({
      settings: consumer.connection?.settings,
      secret: { token: expect.any(Secret) },
    });
    expect(scrubber.scrub(token)).toBe(token);
    expect(asked).toEqual([connectionBinding("cluster", consumer.connection?.settings)]);
  });

  it("is not opened over a connection that was edited since, nor without its secret", async () => {
    for (const [change, code] of [
      [{ pinned: 1 }, "connection_changed"],
      [{ secret: null }, "custody_missing"],
    ] as const) {
      const { given, consumer, opened } = scene(change);
      const failure = withConsumer(given, consumer, () => Promise.resolve());
      await expect(failure).rejects.toMatchObject({ code, detail: expect.stringContaining("shop/cluster") });
      expect(opened).toEqual([]);
    }
  });

  it("is not opened where the connection does not allow its team; it is asked before each piece of work", async () => {
    const heard: unknown[] = [];
    const refuses = (...asked: unknown[]) => {
      heard.push(asked);
      return heard.length === 1 ? undefined : "Add web to the spaces.";
    };
    const { given, consumer } = scene({ definition: { refuses } });
    await withConsumer(given, consumer, () => Promise.resolve());
    await expect(withConsumer(given, consumer, () => Promise.resolve())).rejects.toMatchObject({
      code: "target_refused",
      detail: "Consumer pods (remote:x): Add web to the spaces.",
    });
    expect(heard[0]).toEqual([consumer.connection?.settings, consumer.config, "shop"]);
  });

  it("is asked which instances run only where its kind shows them", async () => {
    const silent = scene();
    expect(instancesOf(silent.given, silent.consumer)).toBeUndefined();
    const shown = scene({ definition: { showsInstances: () => true } });
    expect(await instancesOf(shown.given, shown.consumer)?.()).toEqual({ instances: [], lacks: ["nobody runs"] });
  });
});
