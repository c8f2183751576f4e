import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readReport } from "./scanner-report.ts";

const newSecret = () => randomBytes(16).toString("hex");

/** As gitleaks 8 writes it, with what we do not read. */
const gitleaksFinding = (over: Readonly<Record<string, unknown>>) => ({
  RuleID: "generic-api-key",
  Description: "Detected a Generic API Key, potentially exposing access to various services.",
  StartLine: 12,
  EndLine: 12,
  StartColumn: 2,
  EndColumn: 60,
  Match: "",
  Secret: "",
  File: "config/app.env",
  SymlinkFile: "",
  Commit: "",
  Entropy: 3.9,
  Author: "",
  Email: "",
  Date: "",
  Message: "",
  Tags: [],
  Fingerprint: "config/app.env:generic-api-key:12",
  ...over,
});

/** As trufflehog 3 writes it, with what we do not read. */
const trufflehogFinding = (over: Readonly<Record<string, unknown>>, data: unknown) => ({
  SourceMetadata: { Data: data },
  SourceID: 1,
  SourceType: 16,
  SourceName: "trufflehog - git",
  DetectorType: 968,
  DetectorName: "Postgres",
  DecoderName: "PLAIN",
  Verified: false,
  Raw: "",
  RawV2: "",
  Redacted: "",
  ExtraData: null,
  StructuredData: null,
  ...over,
});

describe("a report of gitleaks", () => {
  it("gives of each finding the secret and what stood around it, by file, line, commit and rule", () => {
    const secret = newSecret();
    const findings = [
      gitleaksFinding({ Secret: secret, Match: `KEY=${secret}`, Commit: "0123456789abcdef" }),
      gitleaksFinding({ Secret: secret, Match: secret, File: "b.env", StartLine: 1 }),
    ];
    expect(readReport("gitleaks", JSON.stringify(findings))).toEqual([
      { place: "config/app.env:12 at 01234567 (generic-api-key)", texts: [secret, `KEY=${secret}`] },
      { place: "b.env:1 (generic-api-key)", texts: [secret] },
    ]);
  });

  it("may be empty, in both ways in which gitleaks says so", () => {
    expect(readReport("gitleaks", "[]\n")).toEqual([]);
    expect(readReport("gitleaks", "null\n")).toEqual([]);
  });

  it("that hides a part of each secret gives it as hidden, not as something that nobody knows", () => {
    const Secret = `${newSecret().slice(0, 6)}...`;
    const [found] = readReport("gitleaks", JSON.stringify([gitleaksFinding({ Secret, Match: `KEY=${Secret}` })]));
    expect(found?.texts[0]).toBe("REDACTED");
  });

  it("with a key of many lines, a NUL or half of a character gives what can be compared", () => {
    const pem = `-----BEGIN KEY-----\n${newSecret()}\n-----END KEY-----`;
    const text = JSON.stringify([gitleaksFinding({ Secret: pem }), gitleaksFinding({ Secret: "a\0b\ud800" })]);
    expect(readReport("gitleaks", text).map(({ texts }) => texts)).toEqual([[pem], ["a b\ufffd"]]);
  });
});

describe("a report of trufflehog", () => {
  it("gives of each line both raw forms, by where it was found", () => {
    const [secret, url] = [newSecret(), `postgres://o:${newSecret()}@db/o`];
    const git = { Git: { commit: "fedcba9876543210", file: "a.yaml", repository: "file://.", line: 3 } };
    const lines = [
      trufflehogFinding({ Raw: url, RawV2: url }, git),
      trufflehogFinding(
        { Raw: "AKIA", RawV2: `AKIA:${secret}`, DetectorName: "AWS" },
        { Filesystem: { file: "/srv/x" } },
      ),
      trufflehogFinding({ Raw: secret }, { Docker: { image: "orders", layer: "sha256:00" } }),
      trufflehogFinding({ Raw: secret, RawV2: null }, { Slack: { link: "https://slack.example/p1" } }),
    ];
    const text = lines.map((line) => JSON.stringify(line)).join("\r\n");
    expect(readReport("trufflehog", `${text}\n`)).toEqual([
      { place: "a.yaml:3 at fedcba98 (Postgres)", texts: [url] },
      { place: "/srv/x (AWS)", texts: ["AKIA", `AKIA:${secret}`] },
      { place: "(no file) (Postgres)", texts: [secret] },
      { place: "https://slack.example/p1 (Postgres)", texts: [secret] },
    ]);
  });

  it("may have trufflehog's own log among the findings, and be empty", () => {
    const log = { level: "info-0", ts: "2027-01-01T00:00:00Z", logger: "trufflehog", msg: "finished scanning" };
    const found = trufflehogFinding({ Raw: newSecret() }, { Filesystem: { file: "a", line: 0 } });
    const text = [log, found, log].map((line) => JSON.stringify(line)).join("\n");
    expect(readReport("trufflehog", text)).toHaveLength(1);
    expect(readReport("trufflehog", "\n")).toEqual([]);
  });
});

describe("what is no report", () => {
  const secret = newSecret();
  it.each([
    ["gitleaks", "", "no JSON report of gitleaks"],
    ["gitleaks", secret, "no JSON report of gitleaks"],
    ["gitleaks", JSON.stringify({ Secret: secret }), "no JSON report of gitleaks"],
    ["gitleaks", JSON.stringify([{ secret }]), "no JSON report of gitleaks"],
    ["gitleaks", JSON.stringify([gitleaksFinding({ Secret: secret })]).slice(0, -2), "no JSON report of gitleaks"],
    ["trufflehog", secret, "Line 1 is no finding of trufflehog 3"],
    ["trufflehog", JSON.stringify([gitleaksFinding({ Secret: secret })]), "Line 1 is no finding of trufflehog 3"],
    ["trufflehog", `\n{"level":"info-0"}\n{"stringsFound":["${secret}"]}`, "Line 3 is no finding of trufflehog 3"],
  ] as const)("is refused whole for %s, without a word of it (%#)", (format, text, says) => {
    let told = "";
    try {
      readReport(format, text);
    } catch (error) {
      told = error instanceof Error ? error.message : "";
    }
    expect(told).toContain(says);
    expect(told).not.toContain(secret);
  });
});
