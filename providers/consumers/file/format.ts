import { OperatorNeededError, PermanentError } from "../../../domain/errors.ts";

/** What our keys hold: undefined where a key is absent. */
export type Held = Readonly<Record<string, string | undefined>>;

/** How one kind of file is read and changed. Pure; works on text, so that the bytes of others stay what they were. */
export interface Format {
  read(text: string, keys: readonly string[]): Held;
  /** `text` is undefined when there is no file yet. */
  write(text: string | undefined, entries: Readonly<Record<string, string>>): string;
  /** Everything that is not ours, in a form that `isDeepStrictEqual` can compare before and after. */
  foreign(text: string, keys: readonly string[]): unknown;
}

/** Never tells what the content is, only where it fails to be what was declared. */
export function malformed(detail: string): never {
  throw new OperatorNeededError("target_malformed", `${detail} Mend the file by hand, then retry.`);
}

export function unfit(detail: string): never {
  throw new PermanentError("value_unfit", detail);
}
