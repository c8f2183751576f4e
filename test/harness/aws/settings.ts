/** How nasty the fake is. Every duration is the real one; `scale` shortens all of them. */
export interface FakeAwsSettings {
  readonly seed: number;
  readonly scale: number;
  /** The share of calls that are refused before anything happens. */
  readonly throttling: number;
  /** The share of calls that are done and whose answer never comes. */
  readonly lostAnswers: number;
  /** The share of calls that a service says it failed at, whether or not it had done them. */
  readonly failures: number;
  /** How many servers stand behind each address; each call meets one of them at random. */
  readonly endpoints: number;
  /** A fresh key, or one made active again, is refused for up to this long. */
  readonly freshKeyLagMs: number;
  /** An inactive or deleted key works for up to this long. */
  readonly endedKeyLagMs: number;
  /** What lists and shows keys and tags is late by up to this long. */
  readonly listLagMs: number;
  /** A use of a key is told so much later. */
  readonly lastUsedLagMs: number;
  /** Of the uses within such a span only the first is recorded. */
  readonly lastUsedGrainMs: number;
  /** The most that a list answers with at once, whatever is asked for. */
  readonly pageSize: number;
  /**
   * What a read gets that names neither version nor stage. Documented is `current`; `another` is the newest version that is
   * not, where there is one, so that nobody relies on it: moto answers with what was current before.
   */
  readonly withoutStage: "current" | "another";
  /** How long a version without a stage is safe from being cleared away. */
  readonly deprecatedKeptMs: number;
  /** How long the name of a secret that was deleted by force stays taken. */
  readonly forcedDeletionMs: number;
  readonly regions: readonly string[];
}

export const nastyByDefault: FakeAwsSettings = {
  seed: 1,
  scale: 0.1,
  throttling: 0.05,
  lostAnswers: 0,
  failures: 0,
  endpoints: 3,
  freshKeyLagMs: 15_000,
  endedKeyLagMs: 4000,
  listLagMs: 4000,
  lastUsedLagMs: 10_000,
  lastUsedGrainMs: 900_000,
  pageSize: 1,
  withoutStage: "another",
  deprecatedKeptMs: 86_400_000,
  forcedDeletionMs: 5000,
  regions: ["us-east-1", "eu-central-1", "eu-north-1"],
};

/** For what is not about trouble: every endpoint knows everything at once, and nothing is refused without a reason. */
export const gentle: Partial<FakeAwsSettings> = {
  throttling: 0,
  freshKeyLagMs: 0,
  endedKeyLagMs: 0,
  listLagMs: 0,
  lastUsedLagMs: 0,
};
