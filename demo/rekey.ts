import type { Login } from "./orders-cluster.ts";
import type { RekeyProgram } from "./rekey-program.ts";

export interface GapView {
  readonly key: string;
  readonly code: string;
  readonly text: string;
}

export interface HoldView {
  readonly number: number;
  readonly code: string;
  readonly detail: string;
  readonly gaps: readonly GapView[];
}

/** What the demonstration reads of a rotation; the rest is left alone. */
export interface RotationView {
  readonly id: string;
  readonly phase: string;
  readonly direction: string;
  /** All phases of its order, first to last. */
  readonly phases: readonly { readonly phase: string }[];
  readonly outcome: string | undefined;
  /** The hold that waits for a person. */
  readonly hold: HoldView | undefined;
}

export type Decision = "retry" | "roll-back" | "accept";

/** rekey as an operator uses it: by its command line, and nothing else. */
export interface Rekey {
  apply(file: string): Promise<void>;
  /** Takes today's value as version 1, without changing it. */
  adopt(credential: string, today: Login): Promise<void>;
  /** Starts a rotation and names it. */
  rotate(credential: string): Promise<string>;
  /**
   * Follows a rotation, one view for each change, until it is closed or waits for a person.
   * @param answered the number of the last hold that has its answer: it may still be shown until a step has heard it.
   */
  follow(rotationId: string, answered: number, onChange: (view: RotationView) => void): Promise<RotationView>;
  /** Answers a hold; gives the command line that did. */
  decide(rotationId: string, hold: HoldView, decision: Decision): Promise<string>;
}

export function operate(program: RekeyProgram): Rekey {
  return {
    async apply(file) {
      await program.run(["apply", "-f", file, "--yes"]);
    },
    async adopt(credential, today) {
      await program.run(["credential", "adopt", credential, "--username", today.user], `${today.password}\n`);
    },
    async rotate(credential) {
      return readView(await program.run(["rotate", credential, "--json"])).id;
    },
    async follow(rotationId, answered, onChange) {
      let last: RotationView | undefined;
      const isOver = ({ outcome, hold }: RotationView): boolean =>
        outcome !== undefined || (hold?.number ?? 0) > answered;
      await program.follow(["rotation", "watch", rotationId, "--json"], (line) => {
        last = readView(line);
        onChange(last);
        return isOver(last);
      });
      if (last === undefined || !isOver(last)) throw new Error(`'rekey rotation watch ${rotationId}' ended too early.`);
      return last;
    },
    async decide(rotationId, { number, gaps }, decision) {
      // Whoever accepts says which hold, which gaps, and why.
      const named =
        decision === "accept"
          ? ["--hold", String(number), ...(gaps.length > 0 ? ["--gaps", "all"] : []), "--reason", "known"]
          : [];
      const args = ["rotation", decision, rotationId, ...named];
      await program.run(args);
      return ["rekey", ...args].join(" ");
    },
  };
}

function readView(line: string): RotationView {
  const found = JSON.parse(line) as Omit<RotationView, "outcome" | "hold"> & {
    readonly outcome?: string | null;
    readonly hold?: HoldView | null;
  };
  return { ...found, outcome: found.outcome ?? undefined, hold: found.hold ?? undefined };
}
