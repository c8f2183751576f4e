import { z } from "zod";

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const pattern = /^(\d{1,11})(ms|s|m|h|d)$/;
const longestMs = 366 * units.d;

/** Milliseconds of a text such as `15m`; undefined when it is none, or longer than a year. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = pattern.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const ms = Number(count) * units[unit as keyof typeof units];
  return ms <= longestMs ? ms : undefined;
}

/** The shortest text that `parseDuration` reads as that many milliseconds. */
export function showDuration(ms: number): string {
  const unit = (["d", "h", "m", "s"] as const).find((name) => ms > 0 && ms % units[name] === 0) ?? "ms";
  return ms === 0 ? "0s" : `${ms / units[unit]}${unit}`;
}

/** A duration in a manifest; its output is milliseconds. */
export const durationSchema = z
  .string({ error: "must be a number with its unit, such as 500ms, 30s, 15m, 2h or 1d" })
  // For editors; whoever breaks it is told below.
  .meta({ pattern: pattern.source, examples: ["500ms", "30s", "15m", "2h", "1d"] })
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined) return ms;
    context.addIssue({
      code: "custom",
      message: "must be a number with its unit, such as 500ms, 30s, 15m, 2h or 1d, and a year at most",
    });
    return z.NEVER;
  });
