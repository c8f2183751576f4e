import { afterEach, describe, expect, it, vi } from "vitest";
import { failIfRequired, needs } from "./needs.ts";

describe("what a test needs and does not find", () => {
  const skip = vi.fn();
  const context = { skip: skip as never };
  const isHere = (): boolean => false;

  afterEach(() => {
    skip.mockClear();
    vi.unstubAllEnvs();
  });

  it("skips it with the reason", () => {
    vi.stubEnv("REKEY_TEST_REQUIRE", "");
    needs(context, isHere(), "needs root");
    expect(skip).toHaveBeenCalledExactlyOnceWith("needs root");
    expect(() => failIfRequired("needs root")).not.toThrow();
  });

  it("fails it where all is required", () => {
    vi.stubEnv("REKEY_TEST_REQUIRE", "all");
    expect(() => needs(context, isHere(), "needs root")).toThrow("needs root");
    expect(() => failIfRequired("needs root")).toThrow("needs root");
    expect(skip).not.toHaveBeenCalled();
  });

  it("does nothing to it where it is here", () => {
    vi.stubEnv("REKEY_TEST_REQUIRE", "all");
    needs(context, true, "needs root");
    expect(skip).not.toHaveBeenCalled();
  });
});
