import { describe, expect, it } from "vitest";

import { KeyPresses } from "../../src/call/key-presses.ts";
import { ManualClock } from "../harness/manual-clock.ts";

/** A telephone, and the digits of its INFOs that were carried. */
class Telephone {
  readonly clock = new ManualClock();
  readonly keys = new KeyPresses(this.clock);
  carried = "";

  info(digit: string, tag = "caller"): boolean {
    return this.keys.onInfo(tag, digit, () => {
      this.carried += digit;
    });
  }

  /** Pressed now, and over after its duration. */
  event(digit: string, durationMs = 100, tag = "caller"): void {
    this.clock.advance(durationMs);
    this.keys.onEvent(tag, digit, durationMs);
  }

  pass(milliseconds: number): void {
    this.clock.advance(milliseconds);
  }
}

describe("a key that comes as an event and as an INFO", () => {
  it.each([
    [
      "INFO when it is pressed",
      (phone: Telephone, digit: string): void => {
        phone.info(digit);
        phone.event(digit);
      },
    ],
    [
      "INFO when it is let go",
      (phone: Telephone, digit: string): void => {
        phone.event(digit);
        phone.pass(150);
        phone.info(digit);
      },
    ],
  ] as const)("counts once: %s", (_what, press) => {
    const phone = new Telephone();
    for (const digit of "1122*#0") {
      press(phone, digit);
      phone.pass(80);
    }
    phone.pass(10_000);
    expect(phone.carried).toBe("");
    expect(phone.clock.pendingTimers).toBe(0);
  });

  it("counts once when INFOs are ahead of two events", () => {
    const phone = new Telephone();
    phone.info("1");
    phone.info("2");
    phone.event("1");
    phone.event("2");
    phone.pass(10_000);
    expect(phone.carried).toBe("");
  });

  it("counts once when it is held down, once the leg is known to send both", () => {
    const phone = new Telephone();
    phone.info("1");
    phone.event("1");
    phone.info("2");
    phone.event("2", 1400);
    phone.pass(10_000);
    expect(phone.carried).toBe("");
  });

  it("has doubled once at most, when the first one is held down", () => {
    const phone = new Telephone();
    phone.info("1");
    phone.event("1", 1000);
    expect(phone.carried).toBe("1");
    phone.info("1");
    phone.event("1", 1000);
    phone.pass(10_000);
    expect(phone.carried).toBe("1");
  });
});

describe("keys that come as INFO alone, from a leg that could send events", () => {
  it("wait once, keep their order, and then wait no more", () => {
    const phone = new Telephone();
    phone.info("1");
    phone.pass(100);
    phone.info("2");
    expect(phone.carried).toBe("");
    phone.pass(300);
    expect(phone.carried).toBe("12");
    phone.info("3");
    expect(phone.carried).toBe("123");
    expect(phone.clock.pendingTimers).toBe(0);
  });

  it("are never lost, though the leg has sent events before, or both", () => {
    const phone = new Telephone();
    phone.event("1");
    phone.info("1");
    phone.pass(1000);
    // The far end of a PBX has changed, say.
    phone.info("5");
    phone.pass(100);
    phone.info("6");
    phone.pass(1600);
    expect(phone.carried).toBe("56");
    // An event of another key is not theirs.
    phone.event("7");
    phone.info("8");
    phone.pass(400);
    expect(phone.carried).toBe("568");
  });

  it("are not taken for an event of long ago, nor for another leg's", () => {
    const phone = new Telephone();
    phone.event("1");
    phone.pass(501);
    phone.info("1");
    phone.event("2", 100, "callee-1");
    phone.info("2");
    phone.pass(400);
    expect(phone.carried).toBe("12");
  });

  it("are refused when 64 wait, and dropped when the call ends", () => {
    const phone = new Telephone();
    for (let count = 0; count < 64; count += 1) expect(phone.info("1")).toBe(true);
    expect(phone.info("1")).toBe(false);
    phone.keys.close();
    expect(phone.clock.pendingTimers).toBe(0);
    expect(phone.carried).toBe("");
  });
});
