import type { Gap } from "../domain/guard.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";

const texts = {
  deliver: (name: string) =>
    `${name} was adopted without its value. The delivery writes over what the consumers have today, and no undo could put that back: keep it yourself before you accept. roll-back ends the new version, and nobody has noticed anything.`,
  end: (name: string) =>
    `Every consumer has shown that it runs on the new version, and ${name} is refused but still as it was at its issuer. From here it is ended for good, and since nobody has given its value, no login can show that it is dead: accept ends it. roll-back lets it in again, and you put its value back where the consumers read it.`,
} as const;

/** What a person has to answer for while the former value is not known to rekey: before it is overwritten, and before it ends. */
export function unknownFormerGaps({ from }: Pick<RotationCase, "from">, before: keyof typeof texts): readonly Gap[] {
  if (from?.isUnknown !== true) return [];
  return [{ code: "former_unknown", key: `former_unknown:${before}`, text: texts[before](`Version ${from.number}`) }];
}
