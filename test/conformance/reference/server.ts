import { createHash, randomBytes, randomUUID } from "node:crypto";

/** What the server says instead of an answer. Foreign to rekey, as every real server's errors are. */
export class ServerFault extends Error {
  readonly fault: "down" | "denied" | "admin_refused" | "full" | "absent";
  constructor(fault: ServerFault["fault"]) {
    super(`server fault ${fault}`);
    this.fault = fault;
  }
}

/** One login. A slot keeps its name and changes its secret; a minted key is made and removed. */
export interface Entry {
  readonly secret?: string | undefined;
  readonly enabled: boolean;
  /** Free text, as a comment or a tag is. */
  readonly mark?: string | undefined;
  readonly limit?: number | undefined;
}

export interface ServerSession {
  readonly id: string;
  readonly name: string;
  readonly startedAt: number;
  readonly applicationName: string;
  /** How many attempts to end it do nothing. */
  stubborn: number;
}

export type LoginAnswer = "ok" | "bad_secret" | "not_allowed" | "too_many";

interface State {
  readonly from: number;
  readonly entry: Entry | undefined;
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    // mulberry32: small, and the same on every machine.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * A server that plays an issuer: strict, stale, and with a clock of its own that is decades behind ours. It knows
 * nothing of the contract; a provider and the outside witness reach it alike.
 */
export class ReferenceServer {
  readonly identity = randomUUID();
  readonly admin = { name: "admin", secret: randomBytes(16).toString("hex") };
  readonly lagMs: number;
  readonly capacity: number;
  readonly sessions: ServerSession[] = [];
  readonly wrongTries = new Map<string, number>();
  readonly lockedOut = new Set<string>();
  /** When each name was last let in. */
  readonly lastLogins = new Map<string, number>();
  readonly ruledOut = new Set<string>();
  acceptsAnything = false;
  isDown = false;
  deniesAdmin = false;
  nextMinted: string | undefined;
  #history = new Map<string, State[]>();
  #clock = Date.UTC(2001, 8, 9);
  readonly #elapsed: () => number;
  #random: () => number;

  /** `elapsed`: milliseconds since any beginning, where time passes by itself; else it does only by `pass`. */
  constructor(options: {
    readonly seed: number;
    readonly lagMs: number;
    readonly capacity: number;
    readonly elapsed?: () => number;
  }) {
    this.lagMs = options.lagMs;
    this.capacity = options.capacity;
    this.#elapsed = options.elapsed ?? (() => 0);
    this.#random = randomFrom(options.seed);
  }

  now(): number {
    this.#clock = Math.max(this.#clock + 1, Date.UTC(2001, 8, 9) + this.#elapsed());
    return this.#clock;
  }

  pass(ms: number): void {
    this.#clock += ms;
  }

  names(): readonly string[] {
    return [...this.#history.keys()].filter((name) => this.read(name) !== undefined);
  }

  read(name: string): Entry | undefined {
    return this.#history.get(name)?.at(-1)?.entry;
  }

  /** How often it has changed: rises with each write. */
  revisionOf(name: string): number {
    return this.#history.get(name)?.length ?? 0;
  }

  /** Replaces an entry in one step, whoever asks; `undefined` removes it. Returns the server's time of the change. */
  write(name: string, entry: Entry | undefined): number {
    const from = this.now();
    const states = this.#history.get(name) ?? [{ from: 0, entry: undefined }];
    this.#history.set(name, [...states, { from, entry }]);
    return from;
  }

  mint(mark: string | undefined): { name: string; secret: string; at: number } {
    if (this.names().length >= this.capacity) throw new ServerFault("full");
    const name = `key-${randomBytes(6).toString("hex")}`;
    const secret = this.nextMinted ?? randomBytes(24).toString("base64url");
    this.nextMinted = undefined;
    const at = this.write(name, { secret, enabled: true, mark });
    return { name, secret, at };
  }

  /** What a login is told. For a while after a change some of the server's parts still answer by what was before. */
  login(name: string, secret: string): LoginAnswer {
    const now = this.now();
    if (this.isDown) throw new ServerFault("down");
    if (name === this.admin.name) return secret === this.admin.secret ? "ok" : "bad_secret";
    if (this.ruledOut.has(name)) return "not_allowed";
    if (this.acceptsAnything) return "ok";
    // Tells a locked-out user what it tells a wrong secret, as many systems do.
    if (this.lockedOut.has(name)) return "bad_secret";
    const states = this.#history.get(name) ?? [];
    const stale = states.filter((_, index) => {
      const until = states[index + 1]?.from;
      return until !== undefined && now - until < this.lagMs;
    });
    const choices = [states.at(-1)?.entry, ...stale.map(({ entry }) => entry)];
    const answer = this.#answerBy(name, choices[Math.floor(this.#random() * choices.length)], secret);
    if (answer === "bad_secret") this.wrongTries.set(name, (this.wrongTries.get(name) ?? 0) + 1);
    if (answer === "ok") this.lastLogins.set(name, now);
    return answer;
  }

  #answerBy(name: string, entry: Entry | undefined, secret: string): LoginAnswer {
    if (entry?.secret === undefined || entry.secret !== secret) return "bad_secret";
    if (!entry.enabled) return "not_allowed";
    if (entry.limit !== undefined && this.sessions.filter((open) => open.name === name).length >= entry.limit)
      return "too_many";
    return "ok";
  }

  openSession(name: string, applicationName: string, stubborn = 0): ServerSession {
    const session = { id: randomUUID(), name, startedAt: this.now(), applicationName, stubborn };
    this.sessions.push(session);
    return session;
  }

  kill(id: string): void {
    const index = this.sessions.findIndex((session) => session.id === id);
    const session = this.sessions[index];
    if (session === undefined) return;
    if (session.stubborn > 0) session.stubborn -= 1;
    else this.sessions.splice(index, 1);
  }

  fingerprint(name: string): string {
    return createHash("sha256")
      .update(JSON.stringify(this.read(name) ?? {}))
      .digest("hex");
  }
}
