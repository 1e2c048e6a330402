import type { CallRecord } from "../../src/call/record.ts";

/** A finished call; `changes` replace its fields. */
export function callRecord(changes: Partial<CallRecord> = {}): CallRecord {
  return {
    id: "call-1",
    from: { kind: "user", id: "1001", number: "1001" },
    to: "*43",
    route: "echo test",
    startedAt: "2026-11-21T10:00:00.000Z",
    answeredAt: "2026-11-21T10:00:00.400Z",
    endedAt: "2026-11-21T10:01:00.400Z",
    legs: [],
    timeline: [],
    setupMs: 400,
    durationMs: 60_000,
    result: "success",
    end: { sipStatus: 200, q850: 16, by: "caller" },
    ...changes,
  };
}
