/**
 * What a proxy does with a call, instead of passing it on. The server's state is always what it would be had a network
 * done the same: a call is applied, or it is not, and nobody tells the caller which.
 */
export type Command<Call> =
  /** The server applies the call; the line is cut in the place of its answer. */
  | { readonly do: "lose-answer" }
  /** Passes it on when this is settled, even if the caller has gone by then. */
  | { readonly do: "delay"; readonly until: Promise<unknown> }
  /** The server applies it at once; the caller hears of it when this is settled. */
  | { readonly do: "delay-answer"; readonly until: Promise<unknown> }
  /** The server gets it twice, one after the other; the caller gets the last answer. */
  | { readonly do: "send-twice" }
  /** Keeps it back until the server has answered another one that matches: so it lands late, after a newer one. */
  | { readonly do: "hold-behind"; readonly match: (call: Call) => boolean }
  /** The server gets so many bytes of what is sent (of the body, over HTTP), then the line is cut on both sides. */
  | { readonly do: "cut-request"; readonly after: number }
  /** The server applies it; the caller gets so many bytes of the answer (of its body, over HTTP), then the line is cut. */
  | { readonly do: "cut-answer"; readonly after: number };

/** Calls as they come and what is to be done with them. `Each` is all that one kind of proxy can do. */
export interface Orders<Call, Each> {
  /**
   * The next calls that match, so many of them, are met with this; the promise is of the first that is. Orders given
   * earlier go first.
   */
  meet(match: (call: Call) => boolean, command: Each, times?: number): Promise<Call>;
  /** Asked of every call that no order is for; undefined passes it on. The last one given counts. */
  each(rule: (call: Call) => Each | undefined): void;
}

interface Order<Call, Each> {
  readonly match: (call: Call) => boolean;
  readonly command: Each;
  left: number;
  arrived(call: Call): void;
}

/** The proxies' own side of the orders. */
export interface Book<Call, Each> extends Orders<Call, Each> {
  find(call: Call): Each | undefined;
  /** To be told of each call that the server has answered. */
  passed(call: Call): void;
  /** The next one that passes and matches. */
  untilPassed(match: (call: Call) => boolean): Promise<Call>;
}

export function bookOf<Call, Each>(): Book<Call, Each> {
  const orders: Order<Call, Each>[] = [];
  const waiting: { readonly match: (call: Call) => boolean; resolve(call: Call): void }[] = [];
  let rule: (call: Call) => Each | undefined = () => undefined;

  return {
    meet(match, command, times = 1) {
      const { promise, resolve } = Promise.withResolvers<Call>();
      orders.push({ match, command, left: times, arrived: resolve });
      return promise;
    },
    each(next) {
      rule = next;
    },
    find(call) {
      const order = orders.find(({ match, left }) => left > 0 && match(call));
      if (order === undefined) return rule(call);
      order.left -= 1;
      order.arrived(call);
      return order.command;
    },
    passed(call) {
      for (const each of waiting.filter(({ match }) => match(call))) {
        waiting.splice(waiting.indexOf(each), 1);
        each.resolve(call);
      }
    },
    untilPassed(match) {
      const { promise, resolve } = Promise.withResolvers<Call>();
      waiting.push({ match, resolve });
      return promise;
    },
  };
}
