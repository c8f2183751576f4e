/** The prefix of each kind of row. An id is `<prefix>_<26 base32 digits>` and sorts by the time it was made. */
export const idPrefixes = {
  instance: "ins",
  environment: "env",
  team: "tm",
  connection: "cns",
  credential: "crd",
  version: "ver",
  target: "tgt",
  consumer: "con",
  policy: "pol",
  freeze: "frz",
  proposal: "prp",
  rotation: "rot",
  operation: "op",
  delivery: "dlv",
  evidence: "evd",
  usageSample: "usg",
  verdict: "vrd",
  hold: "hld",
  command: "cmd",
  check: "chk",
  emergency: "emg",
  incident: "inc",
  grant: "grt",
  token: "tok",
  worker: "wrk",
  notice: "ntc",
  noticeDelivery: "ntd",
  custodyValue: "cst",
} as const;

export type IdKind = keyof typeof idPrefixes;

const idPattern = /^[a-z]{2,4}_[0-9a-z]{26}$/;

/** Whether a text has the shape of an id, and of that kind when one is named. It does not say that the row exists. */
export function isId(text: string, kind?: IdKind): boolean {
  return idPattern.test(text) && (kind === undefined || text.startsWith(`${idPrefixes[kind]}_`));
}
