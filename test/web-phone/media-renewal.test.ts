import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MediaRenewal } from "../../web-phone/src/agent/media-renewal.ts";

interface Bench {
  readonly renewal: MediaRenewal;
  /** Whether each re-INVITE was relay-only, in order. */
  readonly asked: boolean[];
  readonly answers: ((isAccepted: boolean) => void)[];
  isLinkReady: boolean;
  isPathAlive: boolean;
  links: number;
  ends: number;
}

function bench(options: { readonly hasRelay?: boolean } = {}): Bench {
  const self: Bench = {
    renewal: new MediaRenewal({
      renew: (isRelayOnly) => {
        self.asked.push(isRelayOnly);
        return new Promise((resolve) => self.answers.push(resolve));
      },
      isLinkReady: () => self.isLinkReady,
      renewLink: () => {
        self.links += 1;
      },
      isPathAlive: () => Promise.resolve(self.isPathAlive),
      hasRelay: options.hasRelay ?? false,
      onGivenUp: () => {
        self.ends += 1;
      },
    }),
    asked: [],
    answers: [],
    isLinkReady: true,
    isPathAlive: true,
    links: 0,
    ends: 0,
  };
  return self;
}

async function answer(self: Bench, isAccepted: boolean): Promise<void> {
  self.answers.shift()?.(isAccepted);
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the sound of a call in another network", () => {
  it("gets a new connection at once, over a link that stands", async () => {
    const self = bench();
    self.renewal.onAnswered(true);
    self.renewal.onNetworkChanged();
    expect(self.asked).toEqual([false]);
    await answer(self, true);
    self.renewal.onConnectionState("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(self.asked).toHaveLength(1);
    self.renewal.close();
  });

  it("waits for the link", () => {
    const self = bench();
    self.renewal.onAnswered(true);
    self.isLinkReady = false;
    self.renewal.onNetworkChanged();
    expect(self.asked).toEqual([]);
    self.isLinkReady = true;
    self.renewal.onLinkReady();
    expect(self.asked).toEqual([false]);
    self.renewal.close();
  });

  it("is renewed again when the network changes on the way", async () => {
    const self = bench();
    self.renewal.onAnswered(true);
    self.renewal.onNetworkChanged();
    self.renewal.onNetworkChanged();
    expect(self.asked).toHaveLength(1);
    await answer(self, true);
    expect(self.asked).toHaveLength(2);
    self.renewal.close();
  });

  it("stays as it is at a mere hint, unless nothing arrives", async () => {
    const self = bench();
    self.renewal.onAnswered(true);
    self.renewal.onNetworkHint();
    await vi.advanceTimersByTimeAsync(0);
    expect(self.asked).toEqual([]);
    self.isPathAlive = false;
    self.renewal.onLinkReady();
    await vi.advanceTimersByTimeAsync(0);
    expect(self.asked).toEqual([false]);
    self.renewal.close();
  });

  it("is renewed when ICE is disconnected for two seconds, with a new link", async () => {
    const self = bench();
    self.renewal.onAnswered(true);
    self.renewal.onConnectionState("disconnected");
    await vi.advanceTimersByTimeAsync(1_900);
    expect(self.asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(self.asked).toEqual([false]);
    expect(self.links).toBe(1);
    self.renewal.close();
  });

  it("is left alone when ICE recovers by itself", async () => {
    const self = bench();
    self.renewal.onAnswered(true);
    self.renewal.onConnectionState("disconnected");
    self.renewal.onConnectionState("connected");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(self.asked).toEqual([]);
    self.renewal.close();
  });
});

describe("a call whose ICE does not connect", () => {
  it("tries over the relay alone, then once more, then ends", async () => {
    const self = bench({ hasRelay: true });
    self.renewal.onAnswered(false);
    self.renewal.onConnectionState("failed");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(self.asked).toEqual([true]);
    await answer(self, true);
    self.renewal.onConnectionState("failed");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(self.asked).toEqual([true, false]);
    await answer(self, true);
    expect(self.ends).toBe(0);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(self.ends).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(self.asked).toHaveLength(2);
  });

  it("needs no relay for a new try", async () => {
    const self = bench();
    self.renewal.onAnswered(false);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(self.asked).toEqual([false]);
    await answer(self, true);
    self.renewal.onConnectionState("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(self.ends).toBe(0);
    self.renewal.close();
  });

  it("ends at once before it is answered", () => {
    const self = bench({ hasRelay: true });
    self.renewal.onConnectionState("failed");
    expect(self.ends).toBe(1);
  });
});
