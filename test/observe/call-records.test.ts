import { describe, expect, it } from "vitest";
import { callEnded } from "../../src/call/channels.ts";
import type { CallRecord } from "../../src/call/record.ts";
import { FactChannel } from "../../src/core/channels.ts";
import { CallRecords } from "../../src/observe/call-records.ts";
import { callRecord } from "./call-record-fixture.ts";

describe("CallRecords", () => {
  it("keeps finished calls newest first, and no more than its capacity", () => {
    const channel = new FactChannel<CallRecord>("test:call-records.capacity");
    const records = new CallRecords({ capacity: 2, channel });
    for (const id of ["a", "b", "c"]) channel.publish(callRecord({ id }));
    expect([...records].map((record) => record.id)).toEqual(["c", "b"]);
    expect(records.page({ limit: 1 }).items[0]?.id).toBe("c");
    expect(records.size).toBe(2);
    records.close();
  });

  it("listens to callEnded until it is closed", () => {
    const records = new CallRecords();
    callEnded.publish(callRecord({ id: "first" }));
    records.close();
    callEnded.publish(callRecord({ id: "second" }));
    expect([...records].map((record) => record.id)).toEqual(["first"]);
    expect(callEnded.hasSubscribers).toBe(false);
  });
});
