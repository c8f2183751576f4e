import { AwsFault } from "./fault.ts";

/** What a test has done to one call, besides what chance does. */
export type Interference =
  | { readonly answer: AwsFault }
  /** It is applied, and the connection cut instead of an answer. */
  | { readonly loseAnswer: true }
  /** It is applied, and answered as a failure of the service. */
  | { readonly failAfterwards: true }
  /** It is applied once the promise has come true; other calls pass meanwhile. */
  | { readonly hold: Promise<void> };

/** What the fake saw of one call. */
export interface LoggedCall {
  readonly atMs: number;
  readonly service: string;
  readonly action: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** As claimed, whether or not it was let in. */
  readonly accessKeyId: string | undefined;
  readonly region: string | undefined;
  /** `ok` or the code of the refusal. */
  readonly outcome: string;
  /** Whether it was done, whatever was answered. */
  readonly isApplied: boolean;
  /** Whether the answer was sent. */
  readonly isAnswered: boolean;
}
