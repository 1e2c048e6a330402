import { describe, expect, it } from "vitest";
import { OffhookError } from "../../src/core/errors.ts";
import { isLogLevel } from "../../src/core/logger.ts";
import { createLogger, type LoggerOptions } from "../../src/observe/logger.ts";

class Lines {
  readonly lines: string[] = [];

  write(line: string): void {
    this.lines.push(line);
  }

  entry(index = 0): Record<string, unknown> {
    const entry: unknown = JSON.parse(this.lines[index] ?? "");
    if (typeof entry !== "object" || entry === null) throw new Error("not an object");
    return Object.fromEntries(Object.entries(entry));
  }
}

function logTo(options: Omit<LoggerOptions, "stream"> = {}) {
  const stream = new Lines();
  return { stream, logger: createLogger({ ...options, stream }) };
}

describe("createLogger", () => {
  it("writes one JSON object a line with time, level, message and fields", () => {
    const { stream, logger } = logTo();
    logger.info("listening", { port: 8080 });
    logger.warn("late");
    expect(stream.lines).toHaveLength(2);
    expect(stream.lines.every((line) => line.endsWith("}\n"))).toBe(true);
    const { time, ...rest } = stream.entry();
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(rest).toEqual({ level: "info", port: 8080, msg: "listening" });
    expect(stream.entry(1)["level"]).toBe("warn");
  });

  it.each([
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["error", ["error"]],
    ["silent", []],
  ] as const)("at level %s writes %j", (level, expected) => {
    const { stream, logger } = logTo({ level });
    logger.debug("x");
    logger.info("x");
    logger.warn("x");
    logger.error("x");
    expect(stream.lines.map((_, index) => stream.entry(index)["level"])).toEqual(expected);
  });

  it("adds a child's fields to every line of the child alone", () => {
    const { stream, logger } = logTo();
    logger.child({ callId: "c1" }).info("ringing");
    logger.info("other");
    expect(stream.entry()["callId"]).toBe("c1");
    expect(stream.entry(1)).not.toHaveProperty("callId");
  });

  it.each([
    ["password"],
    ["Password"],
    ["sipPassword"],
    ["authorization"],
    ["Proxy-Authorization"],
    ["key"],
    ["private_key"],
    ["hmacKey"],
    ["secret"],
    ["token"],
    ["adminToken"],
    ["credential"],
  ])("never writes the value of a field named %s, at any depth", (name) => {
    const { stream, logger } = logTo();
    logger.info("x", { [name]: "hunter2", nested: [{ [name]: "hunter2" }] });
    logger.child({ [name]: "hunter2" }).info("x");
    expect(stream.lines.join("")).not.toContain("hunter2");
    expect(stream.lines.join("")).toContain("[redacted]");
  });

  it("keeps fields that only look like secrets", () => {
    const { stream, logger } = logTo();
    logger.info("x", { monkey: "see", remoteTag: "t1" });
    expect(stream.entry()).toMatchObject({ monkey: "see", remoteTag: "t1" });
  });

  it.each([
    ["a line break", 'a\r\n{"level":"error","msg":"forged"}'],
    ["an escape sequence", "\u001b[2J\u001b]0;title\u0007"],
    ["a C1 control", "\u009b2J"],
    ["DEL", "\u007f"],
    ["a line separator", "\u2028\u2029"],
    ["a direction override", "\u202egnp.exe"],
  ])("lets %s reach neither the line structure nor the terminal", (_name, text) => {
    for (const pretty of [false, true]) {
      const { stream, logger } = logTo({ pretty });
      logger.info(text, { field: text, [text]: 1 });
      const written = stream.lines.join("");
      expect(stream.lines).toHaveLength(1);
      expect(written.indexOf("\n")).toBe(written.length - 1);
      expect(written).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
      if (!pretty) expect(stream.entry()).toMatchObject({ msg: text, field: text });
    }
  });

  it("spells out an error with its code and causes", () => {
    const { stream, logger } = logTo();
    const cause = new Error("connection refused");
    logger.error("no media", { err: new OffhookError("ERR_OFFHOOK_X", "no rtpengine", { cause }) });
    expect(stream.entry()["err"]).toMatchObject({
      name: "OffhookError",
      code: "ERR_OFFHOOK_X",
      message: "no rtpengine",
      cause: { message: "connection refused" },
    });
  });

  it("survives fields that JSON cannot hold", () => {
    const { stream, logger } = logTo();
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    logger.info("x", {
      loop,
      big: 12n,
      octets: Buffer.from("0123"),
      map: new Map([["a", 1]]),
      when: new Date(0),
      never: new Date(Number.NaN),
      missing: undefined,
      long: "y".repeat(100_000),
      level: "forged",
    });
    expect(stream.entry()).toMatchObject({
      big: "12",
      octets: "[4 octets]",
      map: { a: 1 },
      when: "1970-01-01T00:00:00.000Z",
      never: "invalid date",
      level: "info",
      level_: "forged",
    });
    expect(stream.lines[0]?.length).toBeLessThan(10_000);
  });

  it("prints a line for people when pretty", () => {
    const { stream, logger } = logTo({ pretty: true });
    logger.info("listening", { port: 8080, url: "http://127.0.0.1:8080/", name: "Ann Lee" });
    expect(stream.lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening port=8080 url=http:\/\/127\.0\.0\.1:8080\/ name="Ann Lee"\n$/,
    );
  });

  it("prints an error's stack below its line when pretty, in colour when asked", () => {
    const { stream, logger } = logTo({ pretty: true, colour: true });
    logger.error("failed", { err: new Error("it broke") });
    expect(stream.lines[0]).toContain('"it broke"');
    expect(stream.lines[0]).toMatch(/\n {4}at /);
    expect(stream.lines[0]).toContain("\u001b[31mERROR\u001b[0m");
  });
});

describe("isLogLevel", () => {
  it("knows the levels of --log-level", () => {
    expect(isLogLevel("warn")).toBe(true);
    expect(isLogLevel("trace")).toBe(false);
  });
});
