import type { Claim } from "../../../domain/claim.ts";

export class StoreFault extends Error {
  readonly fault: "conflict" | "read only" | "full" | "malformed";
  constructor(fault: StoreFault["fault"]) {
    super(`store fault ${fault}`);
    this.fault = fault;
  }
}

export interface Document {
  readonly entries: Readonly<Record<string, string>>;
  readonly number?: Claim | undefined;
  /** Rises with every write, whoever writes. */
  readonly revision: number;
}

/** Somebody's place for settings, with a revision to write against. It knows nothing of the contract. */
export class Store {
  document: Document = { entries: { MODE: "live", REGION: "north" }, revision: 1 };
  isReadOnly = false;
  isFull = false;
  isMalformed = false;
  swallows = false;
  reloads = 0;

  read(): Document {
    if (this.isMalformed) throw new StoreFault("malformed");
    return this.document;
  }

  /** Fails when somebody wrote since `revision`; without one it overwrites whatever there is. */
  write(next: Omit<Document, "revision">, revision?: number): void {
    if (this.isReadOnly) throw new StoreFault("read only");
    if (this.isFull) throw new StoreFault("full");
    if (revision !== undefined && revision !== this.document.revision) throw new StoreFault("conflict");
    if (!this.swallows) this.document = { ...next, revision: this.document.revision + 1 };
  }
}
