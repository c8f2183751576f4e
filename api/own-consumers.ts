import { giveCommand } from "../ledger/commands.ts";
import { listRotations, readConsumerProgress } from "../ledger/rotation-views.ts";
import { deleteRegistered } from "../manifests/delete.ts";
import { createConnectionSecrets } from "./connection-secrets.ts";
import { findConsumer } from "./consumers.ts";
import type { Handlers } from "./deps.ts";
import { asDeletion } from "./manifests.ts";
import { ProblemError } from "./problem.ts";

/** What a team does with its own consumers, besides asking for them and testing them. */
export const ownConsumerHandlers: Handlers<"retireConsumer" | "acknowledgeConsumer"> = {
  async retireConsumer({ params, body, actor, scope }, deps) {
    const { id, name, isOwn } = await findConsumer(deps, scope, params.consumer, body.credential);
    if (!isOwn)
      throw new ProblemError("forbidden", "It is another team's consumer: that team retires it, or an operator.");
    const secrets = createConnectionSecrets(deps);
    const request = { kind: "Consumer", id, name, digest: body.digest, actor } as const;
    return asDeletion(await deleteRegistered({ ledger: deps.ledger, secrets }, request));
  },

  async acknowledgeConsumer({ params, body, actor, scope }, deps) {
    const { ledger } = deps;
    const found = await findConsumer(deps, scope, params.consumer, body.credential);
    if (!found.isOwn) throw new ProblemError("forbidden", "It is another team's consumer: that team acknowledges it.");
    const { id: consumerId, credentialId } = found;
    const [open] = await listRotations(ledger.db, { scope, credentialId, onlyOpen: true, limit: 1 });
    if (open === undefined)
      throw new ProblemError(
        "command_refused",
        "No rotation of its credential is open: there is nothing to acknowledge.",
      );
    const { id: rotationId } = open;
    const progress = await readConsumerProgress(ledger.db, scope, rotationId);
    const delivered = progress.find(({ id }) => id === consumerId)?.deliveredVersion ?? null;
    // Older than its delivery it would count for nothing, and nobody would see why.
    if (delivered !== body.version) throw new ProblemError("command_refused", undelivered(body.version, delivered));
    const command = { kind: "acknowledge", consumerId, version: body.version } as const;
    const answer = await giveCommand(ledger, { rotationId, command, actor });
    if (answer?.ok !== true)
      throw new ProblemError("command_refused", answer?.reason ?? "The rotation is not there any more.");
    return { commandId: answer.commandId, isNew: answer.isNew, rotationId };
  },
};

const undelivered = (version: number, delivered: number | null): string =>
  delivered === null
    ? "The open rotation has delivered nothing to it yet. Acknowledge once it has: rekey rotation watch"
    : `The open rotation has delivered version ${delivered} to it, not ${version}. Acknowledge what it runs on.`;
