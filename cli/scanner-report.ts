import { z } from "zod";
import { usage } from "./cli-error.ts";
import { cleaned, type Suspect } from "./leaked-input.ts";

export const reportFormats = ["gitleaks", "trufflehog"] as const;
export type ReportFormat = (typeof reportFormats)[number];

/** https://github.com/gitleaks/gitleaks/blob/master/report/finding.go */
const gitleaksReport = z.array(
  z.object({
    RuleID: z.string().default(""),
    StartLine: z.number().optional(),
    Match: z.string().default(""),
    Secret: z.string(),
    File: z.string().default(""),
    Commit: z.string().default(""),
  }),
);

/** Of any kind of source; each has some of these. */
const sourcePlace = z.object({
  file: z.string().catch(""),
  link: z.string().catch(""),
  repository: z.string().catch(""),
  commit: z.string().catch(""),
  line: z.number().optional().catch(undefined),
});

/** https://github.com/trufflesecurity/trufflehog/blob/main/pkg/output/json.go */
const trufflehogFinding = z.object({
  SourceMetadata: z.object({ Data: z.record(z.string(), z.unknown()) }).nullish(),
  DetectorName: z.string(),
  Raw: z.string(),
  RawV2: z.string().nullish(),
});

/** What a scanner has found, with where it was. */
export function readReport(format: ReportFormat, text: string): readonly Suspect[] {
  return format === "gitleaks" ? readGitleaks(text) : readTrufflehog(text);
}

function readGitleaks(text: string): readonly Suspect[] {
  // Older releases write `null` where nothing was found.
  const found = gitleaksReport.safeParse(jsonOf(text) ?? (text.trim() === "null" ? [] : undefined));
  if (!found.success)
    throw usage(
      "That is no JSON report of gitleaks",
      "Make one with `gitleaks git --report-format json --report-path FILE`, without --redact. Nothing was compared.",
    );
  return found.data.map(({ RuleID, StartLine, Match, Secret, File, Commit }) => ({
    place: placeOf({ file: File, line: StartLine, commit: Commit, found: RuleID }),
    // A part of the secret is as good as hidden.
    texts: textsOf([Secret.replace(/^.*\.\.\.$/su, "REDACTED"), Match]),
  }));
}

function readTrufflehog(text: string): readonly Suspect[] {
  return text.split(/\r\n|\n/).flatMap((line, index) => {
    const content = jsonOf(line);
    // Its log goes to standard error, which is often sent the same way.
    if (line.trim() === "" || (isLog(content) && !("Raw" in content))) return [];
    const found = trufflehogFinding.safeParse(content);
    if (!found.success)
      throw usage(
        `Line ${index + 1} is no finding of trufflehog 3`,
        "Make a report with `trufflehog … --json > FILE`. Nothing was compared.",
      );
    const { SourceMetadata, DetectorName, Raw, RawV2 } = found.data;
    const [data] = Object.values(SourceMetadata?.Data ?? {});
    const at = sourcePlace.safeParse(data ?? {}).data;
    const file = [at?.file, at?.link, at?.repository].find((one) => one !== undefined && one !== "") ?? "";
    const place = { file, line: at?.line, commit: at?.commit ?? "", found: DetectorName };
    return [{ place: placeOf(place), texts: textsOf([Raw, RawV2 ?? ""]) }];
  });
}

const isLog = (content: unknown): content is object =>
  typeof content === "object" && content !== null && "level" in content;

const textsOf = (given: readonly string[]): readonly string[] =>
  [...new Set(given.map(cleaned))].filter((text) => text.trim() !== "");

interface Place {
  readonly file: string;
  readonly line: number | undefined;
  readonly commit: string;
  readonly found: string;
}

function placeOf({ file, line, commit, found }: Place): string {
  const where = file === "" ? "(no file)" : `${file}${line === undefined ? "" : `:${line}`}`;
  return [where, commit === "" ? "" : `at ${commit.slice(0, 8)}`, found === "" ? "" : `(${found})`]
    .filter((part) => part !== "")
    .join(" ");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
