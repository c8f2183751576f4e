import { Gauge, Registry } from "prom-client";
import type { Ledger } from "../ledger/database.ts";
import { readMetricFacts, type CountedBy, type MetricFacts } from "../ledger/metric-facts.ts";
import { readStatusFacts, type StatusFacts } from "../ledger/status-facts.ts";

/** One number, or one for each word of a closed vocabulary: no name of a team, credential or person is a label. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly label?: string;
  /** Where there are several: what is counted by is then their words with `/` between them. */
  readonly labels?: readonly string[];
  readonly value: (facts: StatusFacts & MetricFacts) => number | readonly CountedBy[];
}

const metrics: readonly Metric[] = [
  { name: "rekey_credentials", help: "Registered credentials.", value: ({ credentials }) => credentials },
  {
    name: "rekey_credentials_scheduled",
    help: "Credentials that rotate by themselves.",
    value: ({ scheduled }) => scheduled,
  },
  {
    name: "rekey_credentials_due",
    help: "Credentials that are due, whether they run or not.",
    value: ({ due }) => due,
  },
  {
    name: "rekey_credentials_overdue",
    help: "Credentials that may run and have not begun within their policy's startWithin.",
    value: ({ overdue }) => overdue.count,
  },
  {
    name: "rekey_credentials_given_up",
    help: "Credentials that failed three times for one reason, so that a person has to begin.",
    value: ({ given }) => given.count,
  },
  {
    name: "rekey_emergencies_open",
    help: "Emergencies whose versions are not all proven dead yet.",
    value: ({ emergencies, lateEmergencies }) => emergencies.count + lateEmergencies.count,
  },
  {
    name: "rekey_emergencies_overdue",
    help: "Of those, the ones whose time is over or for which no rotation can begin.",
    value: ({ lateEmergencies }) => lateEmergencies.count,
  },
  {
    name: "rekey_version_age_seconds_max",
    help: "Age of the oldest version in use.",
    value: ({ oldestVersionSeconds }) => oldestVersionSeconds,
  },
  {
    name: "rekey_rotations_open",
    help: "Open rotations by phase.",
    label: "phase",
    value: ({ openByPhase }) => openByPhase,
  },
  {
    name: "rekey_rotations_without_carrier",
    help: "Open rotations that no worker has looked at for two minutes.",
    value: ({ carrierless }) => carrierless.count,
  },
  {
    name: "rekey_rotations_closed_last_day",
    help: "Rotations closed within the last 24 hours, by outcome.",
    label: "outcome",
    value: ({ closedLately }) => closedLately,
  },
  {
    name: "rekey_step_failures_last_day",
    help: "Failed attempts of steps within the last 24 hours, by error code.",
    label: "code",
    value: ({ failuresLately }) => failuresLately,
  },
  {
    name: "rekey_evidence_last_day",
    help: "Complete evidence collected within the last 24 hours, by strength.",
    label: "strength",
    value: ({ evidenceLately }) => evidenceLately,
  },
  {
    name: "rekey_holds_open",
    help: "Holds that no person has answered, by error code.",
    label: "code",
    value: ({ holdsByCode }) => holdsByCode,
  },
  {
    name: "rekey_hold_age_seconds_max",
    help: "Age of the oldest hold that nobody has answered.",
    value: ({ oldestHoldSeconds }) => oldestHoldSeconds,
  },
  {
    name: "rekey_time_to_adopted_seconds",
    help: "From reserving to adopted, of rotations proven within the last 24 hours.",
    label: "quantile",
    value: ({ times }) => times.flatMap(({ quantile, adopted }) => quantileOf(quantile, adopted)),
  },
  {
    name: "rekey_time_to_dead_seconds",
    help: "From reserving to proven dead, of rotations proven within the last 24 hours.",
    label: "quantile",
    value: ({ times }) => times.flatMap(({ quantile, dead }) => quantileOf(quantile, dead)),
  },
  {
    name: "rekey_audit_unsealed_seconds",
    help: "Age of the oldest audit row that is not sealed.",
    value: ({ unsealedMs }) => unsealedMs / 1_000,
  },
  {
    name: "rekey_provider_calls_total",
    help: "Calls of issuers and consumers by workers, by what came of them, since the ledger was made. Throttled: asked for fewer calls, again and again.",
    labels: ["kind", "verb", "outcome"],
    value: ({ providerCalls }) => providerCalls,
  },
  {
    name: "rekey_notices_pending",
    help: "Notices that their endpoints have not taken yet.",
    value: ({ noticesPending }) => noticesPending,
  },
  {
    name: "rekey_notices_failing",
    help: "Of those, the ones that were tried, by how the last attempt ended.",
    label: "code",
    value: ({ noticesFailing }) => noticesFailing,
  },
  {
    name: "rekey_notice_unsent_seconds_max",
    help: "Age of the oldest notice that its endpoint has not taken.",
    value: ({ oldestNoticeSeconds }) => oldestNoticeSeconds,
  },
  {
    name: "rekey_notices_last_day",
    help: "Notices that were sent or given up within the last 24 hours.",
    label: "state",
    value: ({ noticesLately }) => noticesLately,
  },
  { name: "rekey_workers", help: "Workers that were seen within the last minute.", value: ({ workers }) => workers },
  {
    name: "rekey_worker_pools_idle",
    help: "Pools of connections that no worker serves.",
    value: ({ idlePools }) => idlePools.length,
  },
];

export const metricNames: readonly string[] = metrics.map(({ name }) => name);

const quantileOf = (quantile: number, seconds: number | null): readonly CountedBy[] =>
  seconds === null ? [] : [{ label: String(quantile), count: seconds }];

function labelled(labels: readonly string[], said: string): Record<string, string> {
  const words = labels.length === 1 ? [said] : said.split("/");
  return Object.fromEntries(labels.map((label, at) => [label, words[at] ?? ""]));
}

/** In the text format of Prometheus. All of it is read from the ledger, so that any serving process tells the same. */
export async function renderMetrics({ db }: Ledger): Promise<{ readonly contentType: string; readonly text: string }> {
  const [status, more] = await Promise.all([readStatusFacts(db), readMetricFacts(db)]);
  const registry = new Registry();
  for (const { name, help, label, labels = label === undefined ? [] : [label], value } of metrics) {
    const found = value({ ...status, ...more });
    const gauge = new Gauge({ name, help, labelNames: [...labels], registers: [registry] });
    if (typeof found === "number") gauge.set(found);
    else for (const one of found) gauge.set(labelled(labels, one.label), one.count);
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}
