import { openEmergencies } from "../ledger/end-emergencies.ts";
import {
  findConnections,
  findConsumers,
  lockCredentials,
  type ConsumerRow,
  type CredentialRow,
} from "../ledger/registry-views.ts";
import { findNotices, retireNotice, secretPlace } from "../ledger/notice-rows.ts";
import {
  findOwned,
  findUses,
  openSuspicion,
  readCredentialUse,
  retireConnection,
  retireConsumer,
  retireCredential,
  retireEnvironment,
  retirePolicy,
  retireTeam,
} from "../ledger/retire.ts";
import type { Found } from "./look-up.ts";
import type { ConnectionSecrets } from "./planning.ts";
import { refKey, type Transaction } from "./registry-snapshot.ts";

/** What deleting one object would do, or why it may not be. */
export interface DeletionPlan {
  /** Sentences with what to do instead; any refuses it. */
  readonly refusals: readonly string[];
  readonly notes: readonly string[];
  readonly retire: (actor: string) => Promise<void>;
  /** Once that is committed: what nobody can reach any more. */
  readonly tidy?: (secrets: Pick<ConnectionSecrets, "forget">) => Promise<void>;
}

export async function planDeletion(trx: Transaction, found: Found): Promise<DeletionPlan> {
  const { id, kind, named } = found;
  switch (kind) {
    case "Team": {
      const uses = refuseUses(await findUses(trx, "team", id), "belongs to it", "belong to it");
      const refusals = [...uses, ...refuseOwned(await findOwned(trx, id))];
      return { refusals, notes: [], retire: (actor) => retireTeam(trx, id, actor) };
    }
    case "Environment": {
      const refusals = refuseUses(await findUses(trx, "environment", id), "is in it", "are in it");
      return { refusals, notes: [], retire: (actor) => retireEnvironment(trx, id, actor) };
    }
    case "Policy": {
      const refusals = refuseRuled(await findUses(trx, "policy", id));
      return { refusals, notes: [], retire: (actor) => retirePolicy(trx, id, actor) };
    }
    case "Connection":
      return planConnection(trx, { team: "", ...named }, id);
    case "Credential":
      return planCredential(trx, { team: "", ...named });
    case "Consumer":
      return planConsumer(trx, found);
    case "Notice":
      return planNotice(trx, { team: "", ...named }, id);
  }
}

const mostShown = 10;

function refuseUses(uses: readonly string[], one: string, many: string): readonly string[] {
  if (uses.length === 0) return [];
  const commands =
    uses.length === 1 ? `: rekey delete ${(uses[0] ?? "").replace(/^\w+/, (kind) => kind.toLowerCase())}` : "";
  return [
    `${shown(uses)} ${uses.length === 1 ? one : many}. Delete ${uses.length === 1 ? "that" : "those"} first${commands}.`,
  ];
}

const shown = (refs: readonly string[]) =>
  `${refs.slice(0, mostShown).join(", ")}${refs.length > mostShown ? ` and ${refs.length - mostShown} more` : ""}`;

const refuseRuled = (refs: readonly string[]): readonly string[] =>
  refs.length === 0 ? [] : [`It rules ${shown(refs)}. Give those another policy and apply that first.`];

const refuseOwned = (refs: readonly string[]): readonly string[] =>
  refs.length === 0 ? [] : [`It is owner of ${shown(refs)}. Name another owner there and apply that first.`];

interface Ref {
  readonly team: string;
  readonly name: string;
}

async function planConnection(trx: Transaction, ref: Ref, id: string): Promise<DeletionPlan> {
  const refusals = refuseUses(await findUses(trx, "connection", id), "uses it", "use it");
  const [row] = await findConnections(trx, [ref]);
  const held = row?.secretRow ?? null;
  return {
    refusals,
    notes:
      held === null
        ? []
        : [`Its secret is destroyed in custody. ${nameLogin(row?.adminPrincipal)} stays at its server.`],
    retire: (actor) => retireConnection(trx, id, actor),
    async tidy(secrets) {
      if (row === undefined || held === null) return;
      const { name, kind, pool, settings, secretRevision } = row;
      await secrets.forget({ id, name, kind, pool, settings, secret_row: held, secret_revision: secretRevision });
    },
  };
}

const nameLogin = (login = "") => (login === "" ? "What it logs in with" : `The login ${login}`);

async function planCredential(trx: Transaction, ref: Ref): Promise<DeletionPlan> {
  const [row] = await lockCredentials(trx, [ref]);
  if (row === undefined) return gone;
  const { currentVersion, pendingCheck, onlyInCustody } = await readCredentialUse(trx, row.id);
  const consumers = (await findConsumers(trx, { credentials: [row.id] })).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const emergencies = row.openRotation === null ? await openEmergencies(trx, row.id) : [];
  const refusals = [
    ...emergencies.flatMap(({ id, refusedCode }) => (refusedCode === null ? [refuseUrgent(id)] : [])),
    ...(row.openRotation === null
      ? []
      : [
          `Its rotation ${row.openRotation} is open. Wait until it is closed (rekey rotation watch ${row.openRotation}), or undo it: rekey rotation abort ${row.openRotation}.`,
        ]),
    ...(pendingCheck === null
      ? []
      : [`Check ${pendingCheck} of it is under way. Wait for it, and see that a worker runs.`]),
    ...(row.openRotation === null ? onlyInCustody.map((version) => refuseOnly(row, version)) : []),
  ];
  return {
    refusals,
    notes: [
      ...emergencies.map(noteUrgent),
      ...(currentVersion === null
        ? []
        : [`Version ${currentVersion} goes on working at its issuer, and nobody rotates or ends it any more.`]),
      ...consumers.map((one) => `Consumer ${refKey(one)} is deleted with it. What lies at ${one.target} stays.`),
    ],
    async retire(actor) {
      for (const consumer of consumers) await retireConsumer(trx, consumer, actor);
      await retireCredential(trx, row.id, actor);
    },
  };
}

const refuseUrgent = (id: string): string =>
  `Its emergency ${id} is about to begin its rotation. Wait until that is closed: rekey emergency list --open.`;

/** One that cannot begin has no other end, where the issuer is gone for good. */
const noteUrgent = ({ id, versions }: { readonly id: string; readonly versions: readonly number[] }): string =>
  `Its emergency ${id} is ended WITHOUT PROOF: version ${versions.join(", ")} has leaked, was not seen dead, and may be accepted by its issuer. See to that there yourself.`;

const refuseOnly = (row: CredentialRow, version: number): string =>
  `Version ${version} works at its issuer, and custody alone has its value: no registered consumer was given it, so that nobody could log in any more. Register a consumer that takes it, such as a file of yours, and rotate once: rekey rotate ${refKey(row)}.`;

async function planConsumer(trx: Transaction, { id, of }: Found): Promise<DeletionPlan> {
  const [credential] = of === undefined ? [] : await lockCredentials(trx, [of]);
  const row = credential && (await findConsumers(trx, { credentials: [credential.id] })).find((one) => one.id === id);
  if (credential === undefined || row === undefined) return gone;
  const suspectedBy = await openSuspicion(trx, row.id);
  return {
    refusals: [
      ...(row.touchedBy === null ? [] : [refuseTouched(row.touchedBy)]),
      ...(suspectedBy === undefined ? [] : [refuseSuspected(row, suspectedBy)]),
    ],
    notes: consumerNotes(row, credential),
    retire: (actor) => retireConsumer(trx, row, actor),
  };
}

/** An undo brings the former value back to every place that has the new one, and could not to one that nobody knows. */
const refuseTouched = (rotation: string): string =>
  `Rotation ${rotation} is open and has delivered to it. Wait until it is closed (rekey rotation watch ${rotation}), or undo it: rekey rotation abort ${rotation}. If the consumer is gone, answer the rotation's hold with accept.`;

/** The suspicion goes with the row: registered anew, the same consumer would get versions again and nobody had answered for it. */
const refuseSuspected = (row: ConsumerRow, emergency: string): string =>
  `Emergency ${emergency} suspects it to be the leak, and registered anew it would be suspected no more. Let a responder, operator or admin answer for it first: rekey consumer release ${refKey(row)} --credential ${row.credential} --reason "…".`;

/** Retiring does not open the guard: the rotation says what it misses, and a person answers. */
function consumerNotes({ target }: ConsumerRow, { openRotation }: CredentialRow): readonly string[] {
  const stays = `Nothing is delivered to ${target} any more. What lies there stays.`;
  if (openRotation === null) return [stays];
  return [
    stays,
    `The open rotation ${openRotation} has not delivered to it yet. If it began with it, it holds before it ends a version, until a person accepts that nobody asks this consumer any more.`,
  ];
}

async function planNotice(trx: Transaction, ref: Ref, id: string): Promise<DeletionPlan> {
  const [row] = await findNotices(trx, [ref]);
  return {
    refusals: [],
    notes: ["Nobody is told there any more, nor what still waits to be told. Its secret is destroyed in custody."],
    retire: (actor) => retireNotice(trx, id, actor),
    async tidy(secrets) {
      for (const held of [row?.secret, row?.former])
        if (row !== undefined && held !== null && held !== undefined) await secrets.forget(secretPlace(row, held));
    },
  };
}

/** Somebody else was faster, between the look and the lock. */
const gone: DeletionPlan = {
  refusals: ["Somebody else has just deleted it, or what it belongs to."],
  notes: [],
  retire: () => Promise.resolve(),
};
