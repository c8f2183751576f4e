import { randomBytes, randomInt } from "node:crypto";
import { AwsFault } from "./fault.ts";
import type { PolicyDocument } from "./policy.ts";
import type { FakeAwsSettings } from "./settings.ts";
import type { Staleness } from "./staleness.ts";
import { Timeline } from "./timeline.ts";

export type KeyStatus = "Active" | "Inactive";

export interface LastUse {
  readonly atMs: number;
  readonly service: string;
  readonly region: string;
}

export interface FakeKey {
  readonly id: string;
  readonly secret: string;
  readonly userName: string;
  readonly createdAtMs: number;
  /** Undefined before it is made and after it is deleted. */
  readonly login: Timeline<KeyStatus | undefined>;
  readonly listed: Timeline<KeyStatus | undefined>;
  readonly session?: { readonly token: string; readonly expiresAtMs: number };
  readonly lastUse: Timeline<LastUse | undefined>;
}

export interface FakeUser {
  readonly name: string;
  readonly path: string;
  readonly arn: string;
  readonly id: string;
  readonly createdAtMs: number;
  readonly tags: Timeline<ReadonlyMap<string, string>>;
  policies: readonly PolicyDocument[];
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const mostKeys = 2;

/** The users of one account and their access keys. */
export class Identities {
  readonly account = String(randomInt(100_000_000_000, 1_000_000_000_000));
  readonly #users = new Map<string, FakeUser>();
  readonly #keys = new Map<string, FakeKey>();
  readonly #staleness: Staleness;
  readonly #settings: FakeAwsSettings;
  constructor(staleness: Staleness, settings: FakeAwsSettings) {
    this.#staleness = staleness;
    this.#settings = settings;
  }

  addUser(name: string, path: string, policies: readonly PolicyDocument[]): FakeUser {
    const user: FakeUser = {
      name,
      path,
      arn: `arn:aws:iam::${this.account}:user${path}${name}`,
      id: `AIDA${madeUpId()}`,
      createdAtMs: this.#staleness.nowMs(),
      tags: new Timeline<ReadonlyMap<string, string>>(new Map()),
      policies,
    };
    this.#users.set(name, user);
    return user;
  }

  find(name: string): FakeUser | undefined {
    return this.#users.get(name);
  }

  /** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html#API_GetUser_Errors */
  user(name: string): FakeUser {
    const user = this.find(name);
    if (user === undefined) throw new AwsFault("NoSuchEntity", 404, `The user with name ${name} cannot be found.`);
    return user;
  }

  userByArn(arn: string): FakeUser | undefined {
    return [...this.#users.values()].find((user) => user.arn === arn);
  }

  /** Those that are, oldest first, sessions aside. */
  keysOf(userName: string, atMs?: number): readonly FakeKey[] {
    return this.everyKeyOf(userName).filter((key) => key.listed.truth(atMs) !== undefined);
  }

  /** Deleted ones too. */
  everyKeyOf(userName: string): readonly FakeKey[] {
    return [...this.#keys.values()].filter((key) => key.userName === userName && key.session === undefined);
  }

  keysListedBy(endpoint: number, userName: string): readonly (readonly [FakeKey, KeyStatus])[] {
    const atMs = this.#staleness.nowMs();
    return this.everyKeyOf(userName).flatMap((key) => {
      const status = key.listed.seenBy(endpoint, atMs);
      return status === undefined ? [] : [[key, status] as const];
    });
  }

  key(id: string): FakeKey | undefined {
    return this.#keys.get(id);
  }

  /** Inactive keys count. https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html */
  createKey(user: FakeUser): FakeKey {
    if (this.keysOf(user.name).length >= mostKeys)
      throw new AwsFault("LimitExceeded", 409, `Cannot exceed quota for AccessKeysPerUser: ${mostKeys}`);
    const key = this.#newKey(user, "AKIA");
    this.setStatus(key, "Active");
    return key;
  }

  /** Known everywhere at once. */
  seedKey(user: FakeUser, status: KeyStatus): FakeKey {
    const key = this.#newKey(user, "AKIA");
    for (const timeline of [key.login, key.listed]) timeline.record(status, key.createdAtMs, this.#staleness.atOnce());
    return key;
  }

  seedSession(user: FakeUser, lastsMs: number): FakeKey {
    const expiresAtMs = this.#staleness.nowMs() + lastsMs;
    const key = this.#newKey(user, "ASIA", { token: randomBytes(96).toString("base64"), expiresAtMs });
    key.login.record("Active", key.createdAtMs, this.#staleness.atOnce());
    return key;
  }

  setStatus(key: FakeKey, status: KeyStatus | undefined): void {
    if (key.listed.truth() === status) return;
    const atMs = this.#staleness.nowMs();
    const lag = status === "Active" ? "freshKeyLagMs" : "endedKeyLagMs";
    key.login.record(status, atMs, this.#staleness.delaysMs(lag));
    key.listed.record(status, atMs, this.#staleness.delaysMs("listLagMs"));
  }

  /**
   * As one endpoint knows it: a key that it has not heard of yet is none.
   * https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html#API_DeleteAccessKey_Errors
   */
  ownKey(endpoint: number, user: FakeUser, id: string): FakeKey {
    const key = this.keysOf(user.name).find((each) => each.id === id);
    if (key?.listed.seenBy(endpoint, this.#staleness.nowMs()) === undefined)
      throw new AwsFault("NoSuchEntity", 404, `The Access Key with id ${id} cannot be found.`);
    return key;
  }

  /** https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html: only the first use in a span. */
  noteUse(key: FakeKey, service: string, region: string): void {
    const atMs = this.#staleness.nowMs();
    const spanMs = this.#settings.lastUsedGrainMs * this.#settings.scale;
    const last = key.lastUse.truth();
    if (last !== undefined && atMs - last.atMs < spanMs) return;
    key.lastUse.record({ atMs, service, region }, atMs, this.#staleness.delaysMs("lastUsedLagMs"));
  }

  #newKey(user: FakeUser, prefix: string, session?: FakeKey["session"]): FakeKey {
    const key: FakeKey = {
      id: prefix + madeUpId(),
      secret: randomBytes(30).toString("base64"),
      userName: user.name,
      createdAtMs: this.#staleness.nowMs(),
      login: new Timeline<KeyStatus | undefined>(undefined),
      listed: new Timeline<KeyStatus | undefined>(undefined),
      lastUse: new Timeline<LastUse | undefined>(undefined),
      ...(session === undefined ? {} : { session }),
    };
    this.#keys.set(key.id, key);
    return key;
  }
}

function madeUpId(): string {
  return Array.from(randomBytes(16), (byte) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".charAt(byte % 32)).join("");
}
