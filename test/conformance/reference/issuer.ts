import { randomBytes } from "node:crypto";
import { z } from "zod";
import { PermanentError } from "../../../domain/errors.ts";
import type { IssuerDefinition, IssuerFacts, IssuerSession } from "../../../providers/contract/issuer.ts";
import { revealField, type Value } from "../../../providers/contract/value.ts";
import { isOurs, readMark, translated, type Owner } from "./mark.ts";
import { mintEffects, mintFields } from "./mint.ts";
import type { LoginAnswer } from "./server.ts";
import { readSlotHandle, slotEffects, slotFields, slotHandle } from "./slots.ts";
import type { Wire } from "./wire.ts";

export interface ReferenceConfig {
  /** The logins we choose secrets for; none when the issuer mints. One is a single slot. */
  readonly slots: readonly string[];
}

/** What is known of a server before it is reached, and the way to it. */
export interface Reached<Connection> {
  readonly lagMs: number;
  readonly capacity: number;
  readonly adminName: string;
  wire(connection: Connection, adminSecret: string, signal: AbortSignal): Wire;
}

interface Parts {
  readonly wire: Wire;
  readonly owner: Owner;
  readonly config: ReferenceConfig;
}

const ended = "bad_secret";
const loginOf = (value: Value): { name: string; secret: string } =>
  "keyId" in value
    ? { name: revealField(value, "keyId"), secret: revealField(value, "secretKey") }
    : { name: revealField(value, "username"), secret: revealField(value, "password") };

const nameOf = (handle: string, config: ReferenceConfig): string =>
  config.slots.length > 0 ? readSlotHandle(handle).name : handle;

/** A login that nobody can be using, so that wrong secrets never count against one in use. */
async function spareLogin({ wire, config }: Parts): Promise<string> {
  for (const name of config.slots) if ((await wire.read(name))?.secret === undefined) return name;
  return `nobody-${randomBytes(4).toString("hex")}`;
}

async function probe(parts: Parts, request: Parameters<IssuerSession["probe"]>[0]): ReturnType<IssuerSession["probe"]> {
  const { wire, config, owner } = parts;
  const { name, secret } = loginOf(request.value);
  const controls: { control: string; answer: string }[] = [];
  const unknown = (code: string) => ({ verdict: "unknown" as const, code, controls });
  const ask = async (control: string, asked: Promise<LoginAnswer>) => {
    const answer = await asked;
    controls.push({ control, answer });
    return answer;
  };
  const answer = await wire.login(name, secret);
  const wrong = await ask("wrong value", wire.login(await spareLogin(parts), randomBytes(16).toString("hex")));
  if (wrong !== ended) return unknown(wrong === "ok" ? "anything_accepted" : wrong);
  if (answer === "ok") return { verdict: "accepted", code: "accepted", controls };
  if (answer !== ended) return unknown(answer);
  const control = request.control === undefined ? undefined : loginOf(request.control);
  const live = await ask(
    "live version",
    control === undefined ? wire.adminLogin() : wire.login(control.name, control.secret),
  );
  if (live !== "ok") return unknown("control_refused");
  const entry = await wire.read(nameOf(request.handle, config));
  const mark = readMark(entry);
  const isSlotOfAnother =
    config.slots.length > 0 &&
    mark !== undefined &&
    isOurs(entry, owner) &&
    mark.version !== readSlotHandle(request.handle).version;
  controls.push({ control: "catalogue", answer: entry?.secret === undefined || isSlotOfAnother ? "ended" : "live" });
  if (entry?.secret !== undefined && !isSlotOfAnother) return unknown("catalogue_says_live");
  return { verdict: "refused", code: ended, controls };
}

async function list({ wire, config, owner }: Parts): ReturnType<IssuerSession["list"]> {
  const names = config.slots.length > 0 ? config.slots : await wire.names();
  const listed: Awaited<ReturnType<IssuerSession["list"]>>[number][] = [];
  for (const name of names) {
    const entry = await wire.read(name);
    if (entry === undefined || (entry.mark === undefined && entry.secret === undefined)) continue;
    const handle = config.slots.length > 0 ? slotHandle(name, readMark(entry)?.version ?? 0) : name;
    const state = entry.secret === undefined ? "ended" : entry.enabled ? "live" : "disabled";
    const made = config.slots.length > 0 ? undefined : readMark(entry)?.operationKey;
    listed.push({ handle, state, ours: isOurs(entry, owner), ...(made === undefined ? {} : { operationKey: made }) });
  }
  return listed;
}

async function usage({ wire, config }: Parts, handles: readonly string[]) {
  const open = await wire.sessions();
  const seen = handles.map((handle) => {
    const mine = open.filter((session) => session.name === nameOf(handle, config));
    const sessions = mine.map(({ name, applicationName, startedAt }) => ({
      principal: name,
      database: "orders",
      address: "192.0.2.7",
      applicationName,
      startedAt: new Date(startedAt).toISOString(),
    }));
    return [handle, sessions] as const;
  });
  return { at: new Date(await wire.now()).toISOString(), sessions: Object.fromEntries(seen) };
}

async function endSessions(
  { wire, config, owner }: Parts,
  request: Parameters<NonNullable<IssuerSession["endSessions"]>>[0],
) {
  const name = nameOf(request.handle, config);
  const mark = readMark(await wire.read(name));
  if (mark !== undefined && (mark.instance !== owner.instance || mark.credential !== owner.credential))
    throw new PermanentError("handle_taken", "The login belongs to somebody else now. Look who marked it.");
  const isLater =
    config.slots.length > 0 && mark !== undefined && mark.version > readSlotHandle(request.handle).version;
  // Where a later version lives in the slot, only what began before it can be the named version's.
  const before = Math.min(
    request.before === undefined ? Infinity : Date.parse(request.before),
    isLater ? mark.at : Infinity,
  );
  const since = request.since === undefined ? -Infinity : Date.parse(request.since);
  const read = async () =>
    (await wire.sessions()).filter(
      (session) => session.name === name && session.startedAt >= since && session.startedAt < before,
    );
  const meant = await read();
  for (const session of meant) await wire.kill(session.id);
  const left = await read();
  return { ended: meant.length - left.length, remaining: left.length };
}

function openReference(
  wire: Wire,
  { instance, credential, config }: { config: ReferenceConfig } & Owner,
): IssuerSession {
  const owner = { instance, credential };
  const parts: Parts = { wire, owner, config };
  const effects = config.slots.length > 0 ? slotEffects(wire, owner, config.slots) : mintEffects(wire, owner);
  return withOurErrors({
    identify: () => wire.identity(),
    async preflight() {
      await wire.identity();
      if (await wire.mayChange()) return [];
      return [{ code: "right_missing", detail: "The connection may not change logins.", mend: "grant change" }];
    },
    ...effects,
    probe: (request) => probe(parts, request),
    list: () => list(parts),
    usage: (handles) => usage(parts, handles),
    endSessions: (request) => endSessions(parts, request),
    close: () => Promise.resolve(),
  });
}

/** Every method of a session, with the server's faults said in our words. */
function withOurErrors(session: IssuerSession): IssuerSession {
  const methods = Object.entries(session).map(([name, method]) => {
    const call = method as (...parts: readonly unknown[]) => Promise<unknown>;
    return [name, (...parts: readonly unknown[]) => translated(() => call(...parts))] as const;
  });
  return Object.fromEntries(methods) as unknown as IssuerSession;
}

function referenceFacts(server: Reached<never>, slots: readonly string[]): IssuerFacts {
  return {
    chooser: slots.length > 0 ? "rekey" : "issuer",
    slots: slots.length === 1 ? { "single-slot": 1 } : { overlap: server.capacity },
    inactiveCounts: true,
    canDisable: true,
    repeatedIssue: slots.length > 0 ? "same-version" : "new-version",
    activationLagMs: server.lagMs,
    deactivationLagMs: server.lagMs,
    endedCodes: [ended],
    usage: { covers: "snapshot", grain: "version" },
    sessionsOutliveRevocation: true,
    lateCallsRefusedBy: slots.length > 0 ? "the claim in the mark, compared inside the server" : "a fresh key id",
  };
}

/** A reference issuer on one server. Strict, so that each clause of the contract can be met and can be broken. */
export function referenceIssuer<Connection>(
  server: Reached<Connection>,
  slots: readonly string[],
  connectionSchema: z.ZodType<Connection>,
): IssuerDefinition<Connection, ReferenceConfig> {
  const minted = slots.length === 0;
  return {
    kind: minted ? "reference-minted" : "reference-slots",
    title: "Reference issuer",
    facts: referenceFacts(server, slots),
    fields: minted ? mintFields : slotFields,
    authenticator: minted ? "secretKey" : "password",
    adminFields: slotFields,
    connectionSchema,
    configSchema: z.object({ slots: z.array(z.string()) }),
    orderOf: () => (slots.length === 1 ? "single-slot" : "overlap"),
    principalsOf: (config) => config.slots,
    adminPrincipalOf: () => server.adminName,
    handleOf(config, value, version) {
      const { name } = loginOf(value);
      if (config.slots.length === 0) return name;
      if (!config.slots.includes(name))
        throw new PermanentError("principal_missing", "The value names a login that is not one of this credential.");
      return slotHandle(name, version);
    },
    adoptedFields: Object.keys(minted ? mintFields : slotFields),
    complete: (_connection, _config, given) => given,
    async open(opening, context) {
      if (opening.config.slots.includes(server.adminName))
        throw new PermanentError("principal_is_connection", "The connection's own login cannot be managed.");
      const wire = server.wire(opening.connection, revealField(opening.admin, "password"), context.signal);
      const session = openReference(wire, opening);
      await session.identify();
      return session;
    },
  };
}
