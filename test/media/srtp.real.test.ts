import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type {
  Exchange,
  LegSrtp,
  MediaEngine,
  MediaReport,
  MediaSession,
} from "../../src/media/session.ts";
import { audioPortOf, RtpPeer, TestRtpengine } from "../harness/rtpengine.ts";
import { waitFor } from "../harness/wait.ts";

/**
 * Two gateways' sessions back to back: a telephone, the first session, a trunk between the two, the
 * second session, a telephone. What one writes for the trunk the other reads.
 */
class Chain implements AsyncDisposable {
  readonly first: MediaSession;
  readonly second: MediaSession;
  readonly left: RtpPeer;
  readonly right: RtpPeer;
  /** What crosses the trunk. */
  trunkOffer = "";
  trunkAnswer = "";
  readonly #exchanges: readonly [Exchange, Exchange];
  #toLeft = "";
  #toRight = "";

  static async open(
    engine: MediaEngine,
    calling: LegSrtp | undefined,
    called: LegSrtp | undefined,
  ): Promise<Chain> {
    return new Chain(engine, [calling, called], [await RtpPeer.open(), await RtpPeer.open()]);
  }

  private constructor(
    engine: MediaEngine,
    [calling, called]: readonly [LegSrtp | undefined, LegSrtp | undefined],
    [left, right]: readonly [RtpPeer, RtpPeer],
  ) {
    this.first = engine.createSession({ policy: "auto" });
    this.second = engine.createSession({ policy: "auto" });
    this.left = left;
    this.right = right;
    const telephone = { kind: "rtp", codecs: ["PCMU"] } as const;
    this.#exchanges = [
      {
        offerer: { tag: "caller", ...telephone },
        answerer: { tag: "trunk", ...telephone, srtp: calling },
        branch: "b",
      },
      {
        offerer: { tag: "trunk", ...telephone, srtp: called },
        answerer: { tag: "callee", ...telephone },
        branch: "b",
      },
    ];
  }

  async call(): Promise<void> {
    const [one, two] = this.#exchanges;
    this.trunkOffer = await this.first.offer(one, this.left.sdp("0 101"));
    this.#toRight = await this.second.offer(two, this.trunkOffer);
    this.trunkAnswer = await this.second.answer(two, this.right.sdp("0 101"));
    this.#toLeft = await this.first.answer(one, this.trunkAnswer);
  }

  /** Both telephones talk until each has heard the other. */
  async talk(): Promise<void> {
    const timer = setInterval(() => {
      this.left.send(audioPortOf(this.#toLeft), 0, Buffer.alloc(160, 0x11));
      this.right.send(audioPortOf(this.#toRight), 0, Buffer.alloc(160, 0x22));
    }, 20);
    const heard = (peer: RtpPeer, octet: number): number =>
      peer.received.filter(({ payload }) => payload.length === 160 && payload[77] === octet).length;
    try {
      await waitFor(
        () => (heard(this.left, 0x22) > 5 && heard(this.right, 0x11) > 5 ? true : undefined),
        {
          what: "sound both ways",
          detail: () => `${this.left.received.length} ${this.right.received.length}`,
        },
      );
    } finally {
      clearInterval(timer);
    }
  }

  securities(): readonly MediaReport["srtp"][] {
    return [this.first.negotiated().srtp, this.second.negotiated().srtp];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.first.close();
    await this.second.close();
    this.left.close();
    this.right.close();
  }
}

describe("encrypted trunks on a real rtpengine", () => {
  let rtpengine: TestRtpengine;
  let engine: MediaEngine;

  beforeAll(async () => {
    rtpengine = await TestRtpengine.start();
    engine = await rtpengine.engine();
  });
  afterAll(async () => {
    expect(await engine.sessionCount()).toBe(0);
    await engine.stop();
    await rtpengine.stop();
    expect(rtpengine.child.tail(1000)).not.toMatch(/inline:|WARN|ERR|Unknown/);
  });

  it.each([
    ["sdes", "sdes", "RTP/SAVP", "sdes"],
    ["dtls", "dtls", "UDP/TLS/RTP/SAVP", "dtls"],
    // RFC 8643: a peer that knows it takes the keys, one that does not takes plain RTP.
    ["optional", "optional", "RTP/AVP", "sdes"],
    ["optional", "off", "RTP/AVP", "none"],
    // What was not configured is answered in kind when the far end offers it.
    ["sdes", "off", "RTP/SAVP", "sdes"],
    ["sdes", "optional", "RTP/SAVP", "sdes"],
    ["off", "optional", "RTP/AVP", "none"],
  ] as const)("%s calls %s: %s, %s", async (calling, called, protocol, security) => {
    await using chain = await Chain.open(engine, calling, called);
    await chain.call();
    for (const sdp of [chain.trunkOffer, chain.trunkAnswer]) {
      expect(sdp).toContain(` ${protocol} `);
      expect(sdp).not.toMatch(/SHA1_32|NULL_HMAC|F8_128/);
    }
    const hasKeys = security === "sdes";
    expect(chain.trunkAnswer.includes("a=crypto:")).toBe(hasKeys);
    expect(chain.trunkAnswer.includes("a=fingerprint:")).toBe(security === "dtls");
    expect(chain.trunkAnswer.includes("a=setup:")).toBe(security === "dtls");
    await chain.talk();
    expect(chain.securities()).toEqual([
      { caller: "none", trunk: security },
      { trunk: security, callee: "none" },
    ]);
    expect((await chain.first.query()).isTranscoded).toBe(false);
  });

  it.each([
    ["off", "sdes", /demands SDES-SRTP, and the far end has plain RTP/],
    ["optional", "sdes", /demands SDES-SRTP, and the far end has plain RTP/],
    ["off", "dtls", /demands DTLS-SRTP/],
    ["sdes", "dtls", /demands DTLS-SRTP, and the far end has SDES-SRTP/],
    ["dtls", "sdes", /demands SDES-SRTP, and the far end has DTLS-SRTP/],
  ] as const)("%s is refused by a trunk of %s", async (calling, called, why) => {
    await using chain = await Chain.open(engine, calling, called);
    await expect(chain.call()).rejects.toThrow(why);
  });

  it.each(["sdes", "dtls"] as const)(
    "a plain answer to an offer of %s is refused",
    async (srtp) => {
      await using chain = await Chain.open(engine, srtp, srtp);
      const offer = await chain.first.offer(
        {
          offerer: { tag: "caller", kind: "rtp" },
          answerer: { tag: "trunk", kind: "rtp", srtp },
          branch: "b",
        },
        chain.left.sdp("0 101"),
      );
      expect(offer).toContain("SAVP");
      await expect(
        chain.first.answer(
          {
            offerer: { tag: "caller", kind: "rtp" },
            answerer: { tag: "trunk", kind: "rtp", srtp },
            branch: "b",
          },
          chain.right.sdp("0 101"),
        ),
      ).rejects.toThrow(/has plain RTP/);
    },
  );
});
