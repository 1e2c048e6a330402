import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SessionCredentials } from "../../src/http/session-credentials.ts";
import { ManualClock } from "../harness/manual-clock.ts";

const KEY = Buffer.alloc(32, 7);

describe("SessionCredentials", () => {
  it("puts expiry and user into the name, and the name's HMAC into the password", () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 21, 10));
    const credentials = new SessionCredentials({ clock, key: KEY });
    const issued = credentials.issue("1001");
    const expiresAtMs = Date.UTC(2026, 10, 21, 22);
    const username = `${expiresAtMs / 1000}:1001`;
    const password = createHmac("sha256", KEY).update(username).digest("base64url");
    expect(issued).toEqual({ username, password, token: issued.token, expiresAtMs });
    expect(credentials.userOf(issued.token)).toBe("1001");
  });

  it.each(["1001", "ann.lee", "ann:lee", "änn", " "])("finds what it issued to %j", (userId) => {
    const credentials = new SessionCredentials({ clock: new ManualClock() });
    const { password, username } = credentials.issue(userId);
    expect(credentials.find(username)).toEqual({ userId, password });
  });

  it("forgets them when their time is over, and needs no memory until then", () => {
    const clock = new ManualClock();
    const { username } = new SessionCredentials({ clock, key: KEY, lifeSeconds: 60 }).issue("1001");
    const other = new SessionCredentials({ clock, key: KEY, lifeSeconds: 60 });
    clock.advance(59_999);
    expect(other.find(username)).toBeDefined();
    clock.advance(1);
    expect(other.find(username)).toBeUndefined();
  });

  it("makes another password under another key, or for another time or user", () => {
    const clock = new ManualClock();
    const { password, username } = new SessionCredentials({ clock, key: KEY }).issue("1001");
    const otherKey = new SessionCredentials({ clock, key: Buffer.alloc(32, 8) });
    expect(otherKey.find(username)?.password).not.toBe(password);
    const same = new SessionCredentials({ clock, key: KEY });
    const [expiry = ""] = username.split(":");
    expect(same.find(`${Number(expiry) + 1}:1001`)?.password).not.toBe(password);
    expect(same.find(`${expiry}:1002`)?.password).not.toBe(password);
  });

  it.each([
    "1001",
    "",
    ":1001",
    "9999999999:",
    "09999999999:1001",
    "+9999999999:1001",
    "9999999999.5:1001",
    "9e12:1001",
    "9999999999999:1001",
    "x:1001",
    "0:1001",
    " 9999999999:1001",
  ])("does not take %j for a name of its own", (username) => {
    expect(new SessionCredentials({ clock: new ManualClock() }).find(username)).toBeUndefined();
  });
});
