import type { Page } from "playwright-core";

/** What has come to one peer connection: packets that could be decrypted, and their sound. */
export interface HeardMedia {
  readonly packets: number;
  /** Of WebRTC's statistics: the sum of squares, times seconds. */
  readonly energy: number;
}

/**
 * The media of many calls in one page, without a phone: a peer connection for each, with the
 * microphone's sound, driven by offers and answers as the web phone drives its own.
 */
export class BrowserMedia {
  readonly #page: Page;

  /** @param page at an origin that may use the microphone */
  static async open(page: Page): Promise<BrowserMedia> {
    await page.evaluate(SCRIPT);
    return new BrowserMedia(page);
  }

  private constructor(page: Page) {
    this.#page = page;
  }

  /** A new peer connection's offer, with all candidates. */
  async offer(id: string): Promise<string> {
    return await this.#call("offer", id);
  }

  /** The far end's answer. */
  async answered(id: string, sdp: string): Promise<void> {
    await this.#call("answered", id, sdp);
  }

  /** Takes an offer on the peer connection, or on a new one. @returns the answer */
  async answer(id: string, sdp: string): Promise<string> {
    return await this.#call("answer", id, sdp);
  }

  /** What has come so far, by id. */
  async heard(): Promise<Readonly<Record<string, HeardMedia>>> {
    return await this.#page.evaluate("window.offhookMedia.heard()");
  }

  async close(): Promise<void> {
    await this.#page.close();
  }

  async #call(method: string, ...args: readonly string[]): Promise<string> {
    const list = args.map((arg) => JSON.stringify(arg)).join(", ");
    return await this.#page.evaluate<string>(`window.offhookMedia.${method}(${list})`);
  }
}

const SCRIPT = `(async () => {
  const connections = new Map();
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const printOf = (sdp) => /^a=fingerprint:(.+?)\\s*$/m.exec(sdp)?.[1];
  const connectionOf = (id) => {
    let connection = connections.get(id);
    if (connection === undefined) {
      connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
      for (const track of stream.getTracks()) connection.addTrack(track, stream);
      // A track is decoded, and its energy counted, only when something plays it.
      connection.ontrack = ({ streams: [remote] }) => {
        const audio = new Audio();
        audio.srcObject = remote;
        void audio.play();
      };
      connections.set(id, connection);
    }
    return connection;
  };
  const whole = async (connection) => {
    while (connection.iceGatheringState !== "complete") {
      await new Promise((resolve) =>
        connection.addEventListener("icegatheringstatechange", resolve, { once: true }));
    }
    return connection.localDescription.sdp;
  };
  window.offhookMedia = {
    offer: async (id) => {
      const connection = connectionOf(id);
      await connection.setLocalDescription();
      return await whole(connection);
    },
    answered: async (id, sdp) => {
      await connectionOf(id).setRemoteDescription({ type: "answer", sdp });
    },
    answer: async (id, sdp) => {
      const before = connections.get(id);
      // As the web phone does: another DTLS endpoint gets another peer connection.
      if (before?.remoteDescription && printOf(before.remoteDescription.sdp) !== printOf(sdp)) {
        connections.delete(id);
        before.close();
      }
      const connection = connectionOf(id);
      await connection.setRemoteDescription({ type: "offer", sdp });
      await connection.setLocalDescription();
      return await whole(connection);
    },
    heard: async () => {
      const heard = {};
      for (const [id, connection] of connections) {
        let packets = 0, energy = 0;
        for (const report of (await connection.getStats()).values()) {
          if (report.type !== "inbound-rtp") continue;
          packets += report.packetsReceived;
          energy += report.totalAudioEnergy ?? 0;
        }
        heard[id] = { packets, energy };
      }
      return heard;
    },
  };
})()`;
