import { randomBytes } from "node:crypto";
import { AwsFault } from "./fault.ts";
import { invalidRequest } from "./json-fields.ts";
import type { FakeAwsSettings } from "./settings.ts";
import type { Staleness } from "./staleness.ts";
import type { Versions } from "./secret-versions.ts";

export interface FakeSecret {
  readonly name: string;
  readonly arn: string;
  readonly description: string | undefined;
  readonly kmsKeyId: string | undefined;
  readonly createdAtMs: number;
  readonly versions: Versions;
  readonly tags: Map<string, string>;
  changedAtMs: number;
  lastAccessedAtMs?: number;
  /** Since when it is marked, and when it goes for good. */
  deletion?: { readonly sinceMs: number; readonly dueMs: number };
  resourcePolicy?: string;
}

/** The secrets of one account, each in its region alone. */
export class Secrets {
  readonly #byRegion = new Map<string, Map<string, FakeSecret>>();
  /** Names that a deletion by force still keeps, by region and name, until when. */
  readonly #leaving = new Map<string, number>();
  readonly #account: string;
  readonly #staleness: Staleness;
  readonly #settings: FakeAwsSettings;
  constructor(account: string, staleness: Staleness, settings: FakeAwsSettings) {
    this.#account = account;
    this.#staleness = staleness;
    this.#settings = settings;
  }

  /** By name, ARN, or ARN without the six characters at its end. */
  find(region: string, id: string): FakeSecret | undefined {
    const secrets = this.#of(region);
    const found =
      secrets.get(id) ?? [...secrets.values()].find(({ arn }) => arn === id || arn.replace(/-.{6}$/, "") === id);
    if (found?.deletion === undefined || found.deletion.dueMs > this.#staleness.nowMs()) return found;
    secrets.delete(found.name);
    return undefined;
  }

  /** Those that are, whether or not they are marked for deletion. */
  in(region: string): readonly FakeSecret[] {
    return [...this.#of(region).keys()].flatMap((name) => this.find(region, name) ?? []);
  }

  /** What an ARN would be of what is not there. */
  arnOf(region: string, id: string): string {
    return id.startsWith("arn:") ? id : `arn:aws:secretsmanager:${region}:${this.#account}:secret:${id}`;
  }

  /** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors */
  get(region: string, id: string): FakeSecret {
    const secret = this.find(region, id);
    if (secret === undefined)
      throw new AwsFault("ResourceNotFoundException", 400, "Secrets Manager can't find the specified secret.");
    return secret;
  }

  /** One that is not marked for deletion. */
  live(region: string, id: string): FakeSecret {
    const secret = this.get(region, id);
    if (secret.deletion !== undefined)
      throw invalidRequest(
        "You can't perform this operation on the secret because it was marked for deletion. To fix this, restore it.",
      );
    return secret;
  }

  create(region: string, name: string, more: Pick<FakeSecret, "description" | "kmsKeyId" | "tags">): FakeSecret {
    if ((this.#leaving.get(`${region} ${name}`) ?? 0) > this.#staleness.nowMs())
      throw invalidRequest(
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
      );
    const ending = Array.from(randomBytes(6), (byte) => letters.charAt(byte % letters.length)).join("");
    const nowMs = this.#staleness.nowMs();
    const secret: FakeSecret = {
      name,
      arn: `${this.arnOf(region, name)}-${ending}`,
      createdAtMs: nowMs,
      changedAtMs: nowMs,
      versions: new Map(),
      ...more,
    };
    this.#of(region).set(name, secret);
    return secret;
  }

  /** At once for all that ask, but the name stays taken for a while. */
  deleteByForce(region: string, name: string): void {
    this.#of(region).delete(name);
    const untilMs = this.#staleness.nowMs() + this.#settings.forcedDeletionMs * this.#settings.scale;
    this.#leaving.set(`${region} ${name}`, untilMs);
  }

  #of(region: string): Map<string, FakeSecret> {
    const present = this.#byRegion.get(region) ?? new Map<string, FakeSecret>();
    this.#byRegion.set(region, present);
    return present;
  }
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
