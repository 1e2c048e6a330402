import { describe, expect, it } from "vitest";

import { silentLogger } from "../../src/core/logger.ts";
import { changesOf, raiseAlarm, readAnchor } from "../../src/media/browser-anchor.ts";
import { type AnchorAlarm, anchorAlarms } from "../../src/media/facts.ts";
import { parseSdp } from "../../src/media/sdp.ts";
import { UNCHANGED } from "../../src/media/session-state.ts";

const FINGERPRINT = "sha-256 0A:1B";

function sdp(
  parts: Readonly<Partial<Record<"ufrag" | "print" | "port" | "host" | "setup", string>>>,
) {
  const { ufrag = "u1", print = FINGERPRINT, port = "30000", host = "192.0.2.1" } = parts;
  return parseSdp(
    [
      "v=0",
      "o=- 1 1 IN IP4 192.0.2.1",
      "s=-",
      "t=0 0",
      `m=audio ${port} UDP/TLS/RTP/SAVPF 0`,
      `c=IN IP4 ${host}`,
      `a=ice-ufrag:${ufrag}`,
      "a=ice-pwd:0123456789012345678901",
      `a=fingerprint:${print}`,
      `a=setup:${parts.setup ?? "passive"}`,
      "",
    ].join("\r\n"),
  );
}

const anchor = (parts: Parameters<typeof sdp>[0] = {}) => readAnchor(sdp(parts));
const RESTARTED = { ...UNCHANGED, hasIceRestarted: true };
const RENEWED = { ...UNCHANGED, hasNewTransport: true };

describe("what a browser must see constant", () => {
  it("is read out of the SDP", () => {
    expect(anchor()).toEqual({
      ufrag: "u1",
      fingerprint: FINGERPRINT,
      port: "192.0.2.1 30000",
      role: "passive",
    });
    expect(anchor({ setup: "actpass" }).role).toBeUndefined();
  });

  it.each([
    [{}, []],
    [{ setup: "active" }, ["role"]],
    // An offer of ours says nothing of the role (RFC 5763 §5).
    [{ setup: "actpass" }, []],
    [{ ufrag: "u2" }, ["ufrag"]],
    [{ print: "sha-256 FF:FF" }, ["fingerprint"]],
    [{ port: "30002" }, ["port"]],
    [{ host: "192.0.2.9" }, ["port"]],
    [{ setup: "active", ufrag: "u2", port: "1" }, ["role", "ufrag", "port"]],
  ])("%j changes %j", (now, changed) => {
    expect(changesOf(anchor(), anchor(now), UNCHANGED)).toEqual(changed);
  });

  it("lets the browser have what it has asked for, and no more", () => {
    const all = anchor({ setup: "active", ufrag: "u2", print: "sha-256 FF:FF", port: "30002" });
    expect(changesOf(anchor(), all, RESTARTED)).toEqual(["role", "fingerprint", "port"]);
    expect(changesOf(anchor(), all, RENEWED)).toEqual(["fingerprint", "port"]);
  });

  it("raises an alarm for whoever listens", () => {
    const alarms: AnchorAlarm[] = [];
    const unsubscribe = anchorAlarms.subscribe((alarm) => alarms.push(alarm));
    const alarm = { session: "s", node: "n", leg: "caller", changed: ["port"] };
    raiseAlarm(silentLogger, alarm);
    unsubscribe();
    expect(alarms).toEqual([alarm]);
  });
});
