import type { Random } from "./random.ts";
import type { FakeAwsSettings } from "./settings.ts";

export type Lag = "freshKeyLagMs" | "endedKeyLagMs" | "listLagMs" | "lastUsedLagMs";

/** Chance and time: which endpoint a call meets, and how late each of them hears of something. */
export class Staleness {
  readonly #settings: FakeAwsSettings;
  readonly random: Random;
  constructor(settings: FakeAwsSettings, random: Random) {
    this.#settings = settings;
    this.random = random;
  }

  /** Finer than a millisecond, so that two changes never share a moment. */
  nowMs(): number {
    return performance.timeOrigin + performance.now();
  }

  endpoint(): number {
    return Math.floor(this.random() * this.#settings.endpoints);
  }

  endpoints(): readonly number[] {
    return Array.from({ length: this.#settings.endpoints }, (_, at) => at);
  }

  delaysMs(lag: Lag): readonly number[] {
    const mostMs = this.#settings[lag] * this.#settings.scale;
    return this.endpoints().map(() => this.random() * mostMs);
  }

  /** For what was there before the test began. */
  atOnce(): readonly number[] {
    return this.endpoints().map(() => 0);
  }

  happens(share: number): boolean {
    return share > 0 && this.random() < share;
  }
}
