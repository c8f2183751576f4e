import { describe, expect, it } from "vitest";
import { listenPattern, ownNames, parseListenPlace, refuseListenPlace } from "./listen-place.ts";

describe("where the API listens", () => {
  it.each([
    ["127.0.0.1:7390", "127.0.0.1", 7390],
    ["[::1]:0", "[::1]", 0],
    ["Rekey.internal:443", "rekey.internal", 443],
  ])("%s is a name and a port", (text, host, port) => {
    expect(listenPattern.test(text)).toBe(true);
    expect(parseListenPlace(text)).toEqual({ host, port });
  });

  it.each(["7390", ":7390", "rekey.internal", "::1:7390", "http://rekey:7390", "rekey:7390/x", "a b:1"])(
    "%s is none",
    (text) => expect(listenPattern.test(text)).toBe(false),
  );

  it.each(["127.0.0.1", "127.8.8.8", "localhost", "[::1]"])("may be %s without anything else", (host) => {
    expect(refuseListenPlace({ host, port: 1 }, { hasTls: false, names: [] })).toBeUndefined();
  });

  it.each(["0.0.0.0", "[::]", "10.0.0.1", "rekey.internal", "127.0.0.1.evil.example", "128.0.0.1", "[::2]"])(
    "is refused without TLS at %s",
    (host) => {
      const refusal = refuseListenPlace({ host, port: 1 }, { hasTls: false, names: ["rekey.internal"] });
      expect(refusal).toContain("needs TLS");
      expect(refuseListenPlace({ host, port: 1 }, { hasTls: true, names: ["rekey.internal"] })).toBeUndefined();
    },
  );

  it("needs names where it is every address, for then no name is its own", () => {
    expect(refuseListenPlace({ host: "[::]", port: 1 }, { hasTls: true, names: [] })).toContain("REKEY_NAMES");
    expect(ownNames({ host: "[::]", port: 1 }, ["rekey.internal"])).toEqual(["rekey.internal"]);
    expect(ownNames({ host: "10.0.0.1", port: 1 }, [])).toEqual(["10.0.0.1"]);
    expect(ownNames({ host: "127.0.0.1", port: 1 }, [])).toEqual([]);
  });
});
