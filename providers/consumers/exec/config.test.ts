import { describe, expect, it } from "vitest";
import { configSchema } from "./config.ts";
import { exec } from "./definition.ts";

describe("the definition", () => {
  const config = { program: "own", target: "orders", fields: ["username", "password"] };

  it("names the target by program and target, and its fields", () => {
    expect(exec.targetOf(config)).toBe("exec:own:orders");
    expect(exec.fieldsOf(config)).toEqual(["username", "password"]);
    expect(exec.noteOf?.("exec:own:orders", "main/orders")).toMatch(/^own:orders: .*REKEY_EXEC_CONSUMERS_FILE/);
  });

  it("takes the name of an entry, never a command or a path", () => {
    const wrong = [
      { program: "/bin/sh" },
      { program: "sh -c" },
      { argv: ["/bin/sh"] },
      { uid: 0 },
      { env: { A: "b" } },
      { target: "" },
      { target: "a\nb" },
      { fields: [] },
      { fields: ["a", "a"] },
      { fields: ["a=b"] },
    ];
    expect(configSchema.safeParse(config).success).toBe(true);
    for (const part of wrong) expect(configSchema.safeParse({ ...config, ...part }).success).toBe(false);
  });
});
