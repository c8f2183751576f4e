/** Counts of the whole demonstration. */
export interface LoadCounts {
  readonly ordersPlaced: number;
  /** Statements that failed in the service, and orders that got no answer from it. */
  readonly failedStatements: number;
  readonly refusedLogins: number;
  /** Idle sessions of the service that somebody ended: it had not moved in time. */
  readonly lostSessions: number;
}

/** What the order service says of itself. */
export interface ServiceStats {
  readonly user: string;
  readonly isStubborn: boolean;
  readonly ordersPlaced: number;
  readonly migrations: number;
  readonly reloads: number;
  readonly failedStatements: number;
  readonly refusedLogins: number;
  readonly lostSessions: number;
}

export interface Load {
  /** Orders placed so far, without asking the service. */
  placed(): number;
  counts(): Promise<LoadCounts>;
  /** Places no more orders and waits for the answers to those under way. */
  stop(): Promise<void>;
}

export async function readStats(service: string): Promise<ServiceStats> {
  const response = await fetch(`${service}/stats`);
  return (await response.json()) as ServiceStats;
}

/** Places an order every `everyMs`, whether or not the one before has been answered: a slow service is no excuse. */
export function startLoad(service: string, everyMs = 20): Load {
  const orders = ordersOf(service);
  const timer = setInterval(() => void orders.place(), everyMs);
  return {
    ...orders,
    async stop() {
      clearInterval(timer);
      await orders.answered();
    },
  };
}

/** Places one order after another: as many as the service can serve, and never more than one that waits. */
export function startCustomer(service: string): Load {
  const orders = ordersOf(service);
  let isOver = false;
  const shop = async (): Promise<void> => {
    while (!isOver) await orders.place();
  };
  const shopping = shop();
  return {
    ...orders,
    async stop() {
      isOver = true;
      await shopping;
    },
  };
}

interface Orders extends Pick<Load, "placed" | "counts"> {
  /** Resolves when the order has been answered, however. */
  place(): Promise<void>;
  /** Waits for the answers to those under way. */
  answered(): Promise<void>;
}

function ordersOf(service: string): Orders {
  const underway = new Set<Promise<void>>();
  let placed = 0;
  let unanswered = 0;

  const send = async (): Promise<void> => {
    try {
      const response = await fetch(`${service}/orders`, { method: "POST", signal: AbortSignal.timeout(30_000) });
      await response.arrayBuffer();
      // A 500 is counted by the service itself, statement by statement.
      if (response.status === 201) placed++;
      else if (response.status !== 500) unanswered++;
    } catch {
      unanswered++;
    }
  };

  return {
    place() {
      const order = send().finally(() => underway.delete(order));
      underway.add(order);
      return order;
    },
    placed: () => placed,
    async counts() {
      const { failedStatements, refusedLogins, lostSessions } = await readStats(service);
      return { ordersPlaced: placed, failedStatements: failedStatements + unanswered, refusedLogins, lostSessions };
    },
    async answered() {
      await Promise.all(underway);
    },
  };
}

/** Makes the service ignore changes of its file, or listen to them again. */
export async function setStubborn(service: string, isStubborn: boolean): Promise<void> {
  await fetch(`${service}/stubborn`, { method: isStubborn ? "PUT" : "DELETE" });
}
