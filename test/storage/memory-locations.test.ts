import { describe, expect, it } from "vitest";
import type { StoredBinding } from "../../src/signaling/registrar/location-store.ts";
import { MemoryLocations } from "../../src/storage/memory-locations.ts";

function bindingOf(userId: string, id: string, expiresAtMs = 1): StoredBinding {
  return {
    id,
    userId,
    instanceId: `urn:${id}`,
    hasInstance: true,
    regId: undefined,
    contactUri: "sip:x@y.invalid",
    userAgent: undefined,
    remoteAddress: "192.0.2.1:1",
    registeredAtMs: 0,
    expiresAtMs,
    callId: "c",
    cseqNumber: 1,
  };
}

describe("the location store in memory", () => {
  it("lists a user's bindings newest first, and replaces by id in place", () => {
    const store = new MemoryLocations();
    store.put(bindingOf("1", "a"));
    store.put(bindingOf("1", "b"));
    store.put(bindingOf("2", "c"));
    store.put(bindingOf("1", "a", 2));
    expect(store.bindings("1").map(({ id, expiresAtMs }) => [id, expiresAtMs])).toEqual([
      ["b", 1],
      ["a", 2],
    ]);
    expect([...store.all()].map(({ id }) => id)).toEqual(["b", "a", "c"]);
  });

  it("removes by user and id alone", () => {
    const store = new MemoryLocations();
    store.put(bindingOf("1", "a"));
    store.remove("2", "a");
    store.remove("1", "x");
    expect(store.bindings("1")).toHaveLength(1);
    store.remove("1", "a");
    expect(store.bindings("1")).toEqual([]);
    expect([...store.all()]).toEqual([]);
  });

  it("takes any text as a user", () => {
    const store = new MemoryLocations();
    expect(store.bindings("__proto__")).toEqual([]);
    store.put(bindingOf("__proto__", "a"));
    expect(store.bindings("__proto__")).toHaveLength(1);
  });
});
