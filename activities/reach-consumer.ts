import type { ObservationKey } from "../custody/observation-keys.ts";
import { ledBy, OperatorNeededError, PermanentError } from "../domain/errors.ts";
import type { ConsumerCase } from "../ledger/rotation-cases.ts";
import type {
  ConsumerDefinition,
  ConsumerOpening,
  ConsumerSession,
  Instances,
} from "../providers/contract/consumer.ts";
import { onBudget } from "./on-budget.ts";
import { counted, countedOpen } from "./count-calls.ts";
import { consumerKindOf, isAboutLogin, secretOf, type IssuerPlace } from "./reach.ts";
import type { StepScene } from "./step-frame.ts";

/** What it takes to reach a consumer, in a step as in a check. */
export type ConsumerScene = Pick<StepScene, "deps" | "context"> & {
  readonly one: Pick<IssuerPlace, "instance" | "pinned" | "urgent">;
};

/** What it takes to open a consumer, in a rotation or out of one. */
type ConsumerPlace = Pick<ConsumerCase, "consumerId" | "team" | "name" | "kind" | "connection" | "target" | "config">;

/** What fails at a target says at whose: a rotation has many, and the provider knows only its own. */
export async function atTarget<T>(consumer: ConsumerPlace, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw ledBy(error, `Consumer ${consumer.name} (${consumer.target})${byLogin(error, consumer)}: `);
  }
}

/** What concerns rekey's own login there is mended at the connection. */
function byLogin(error: unknown, { connection }: ConsumerPlace): string {
  return connection !== undefined && isAboutLogin(error) ? `, connection ${connection.name}` : "";
}

/** Opens a consumer for one piece of work. The secret of its connection, if it has one, is held no longer than that. */
export async function withConsumer<T>(
  scene: ConsumerScene,
  consumer: ConsumerPlace,
  work: (session: ConsumerSession) => Promise<T>,
  { key }: ObservationKey = scene.deps.observationKeys.newest,
): Promise<T> {
  const { deps, context } = scene;
  const definition = consumerKindOf(deps, consumer.kind);
  const config = definition.configSchema.parse(consumer.config);
  const connection = await atTarget(consumer, async () => connectionTo(scene, consumer, definition, config));
  return deps.scrubber.withHeld(connection === undefined ? [] : [connection.secret], async () => {
    const opening = { config, allowed: deps.allowed, consumer: consumer.consumerId, digestKey: key };
    const over = consumer.connection;
    const way = over === undefined ? context : onBudget(deps, context, over, scene.one.urgent === true);
    const open = () => definition.open(connection === undefined ? opening : { ...opening, connection }, way);
    const session = await atTarget(consumer, async () => countedOpen(open, consumer.kind, deps.calls));
    return work(counted(session, consumer.kind, deps.calls));
  });
}

/** How to ask what the platform of a consumer shows of its instances; undefined where its kind shows none. */
export function instancesOf(scene: ConsumerScene, consumer: ConsumerPlace): (() => Promise<Instances>) | undefined {
  const definition = consumerKindOf(scene.deps, consumer.kind);
  if (definition.showsInstances?.(definition.configSchema.parse(consumer.config)) !== true) return undefined;
  const ask = async (session: ConsumerSession) => {
    if (session.instances !== undefined) return session.instances();
    throw new PermanentError("internal", `A ${consumer.kind} does not show the instances that its kind promises.`);
  };
  return async () => withConsumer(scene, consumer, async (session) => atTarget(consumer, async () => ask(session)));
}

/** What the connection allows is asked each time: it may have been narrowed since the consumer was registered. */
async function connectionTo(
  { deps, one }: ConsumerScene,
  consumer: ConsumerPlace,
  definition: ConsumerDefinition,
  config: unknown,
): Promise<ConsumerOpening<unknown>["connection"]> {
  const { connectionKind } = definition;
  if (connectionKind === undefined) return undefined;
  const { connection } = consumer;
  if (connection === undefined)
    throw new PermanentError("internal", "It was registered without a connection. Apply its manifest again.");
  const secret = await secretOf(deps, connection, one);
  const settings = connectionKind.connectionSchema.parse(connection.settings);
  const refusal = definition.refuses?.(settings, config, consumer.team);
  if (refusal !== undefined) throw new OperatorNeededError("target_refused", refusal);
  return { settings, secret };
}
