/** The place that is always there: values sealed in the ledger itself. */
export const embeddedPlace = "embedded";
