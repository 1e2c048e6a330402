import { describe, expect, it } from "vitest";
import { eventsBetween } from "../../web-phone/src/embed/call-events.ts";
import { initialState } from "../../web-phone/src/state.ts";
import { aCall, inCall, ready } from "./calls.ts";

describe("what a page around the phone is told", () => {
  it("tells sign-in and readiness in this order, and the way back", () => {
    const way = eventsBetween(initialState, ready).map(({ type }) => type);
    expect(way).toEqual(["signed-in", "ready"]);
    const back = eventsBetween(ready, initialState).map(({ type }) => type);
    expect(back).toEqual(["unready", "signed-out"]);
  });

  it("tells a call once, its answer once, and its end with how it ended", () => {
    const ringing = inCall({ phase: "ringing", answeredAt: undefined });
    const up = inCall({ phase: "connected" });
    expect(eventsBetween(ready, ringing).map(({ type }) => type)).toEqual(["call", "calls"]);
    expect(eventsBetween(ringing, up).map(({ type }) => type)).toEqual(["connected", "calls"]);
    expect(eventsBetween(up, up)).toEqual([]);
    const call = aCall();
    const record = {
      id: call.id,
      direction: call.direction,
      number: call.number,
      name: call.name,
      startedAt: 0,
      durationMs: 5000,
      kind: "busy",
      status: 486,
    } as const;
    const over = { ...ready, recent: [record] };
    expect(eventsBetween(up, over)).toMatchObject([
      { type: "end", detail: { id: call.id, kind: "busy", status: 486, durationMs: 5000 } },
      { type: "calls", detail: { calls: [] } },
    ]);
  });

  it("tells of calls beside the one in the pane", () => {
    const up = inCall();
    const waiting = { ...up, others: [aCall({ id: "other", phase: "incoming" })] };
    expect(eventsBetween(up, waiting)).toMatchObject([
      { type: "call", detail: { id: "other" } },
      { type: "calls", detail: { calls: [{}, { id: "other", state: "incoming" }] } },
    ]);
  });
});
