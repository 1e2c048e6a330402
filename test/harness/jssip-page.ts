import type { Page } from "playwright-core";

import type { TestBrowser } from "./chromium.ts";
import { bundleClient } from "./client-bundle.ts";
import { PASSWORDS, type Gateway } from "./gateway.ts";
import { type VideoCodec, videoOf } from "./video-codec.ts";

let bundle: Promise<string> | undefined;

/** A worker through which received pictures pass, and that asks for a whole one when it is told to. */
const ASKER = `
  onrtctransform = ({ transformer }) => {
    transformer.readable.pipeTo(transformer.writable);
    onmessage = () => void transformer.sendKeyFrameRequest();
  };
`;

/** Pictures that a page has decoded and sent, by its getStats. */
export interface Frames {
  readonly decoded: number;
  readonly encoded: number;
  readonly keyFramesEncoded: number;
  readonly keyFramesDecoded: number;
  /** Key frames that the far end has asked for, by PLI or FIR. */
  readonly keyFramesWanted: number;
  /** Of what is decoded: `video/VP8`, with its parameters. */
  readonly codec: string;
}

/** A page with stock JsSIP and a camera, registered with the user's password; it answers every call. */
export class JssipPage {
  readonly page: Page;

  static async open(
    browser: TestBrowser,
    gateway: Gateway,
    user: keyof typeof PASSWORDS,
    options: {
      readonly video: boolean;
      /** What its own offers have for pictures; default: all that the browser knows. */
      readonly videoCodec?: VideoCodec;
      /** Whether `askForKeyFrame` will be called; default false. */
      readonly asksForKeyFrames?: boolean;
    },
  ): Promise<JssipPage> {
    bundle ??= bundleClient("jssip", "JsSIP");
    const page = await browser.newPage({ camera: "granted" });
    if (options.videoCodec !== undefined) await page.addInitScript(videoOf(options.videoCodec));
    await page.goto(`${gateway.httpUrl}/healthz`);
    await page.addScriptTag({ content: await bundle });
    await page.evaluate(
      `(async () => {
        const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        const video = ${options.video ? "{ width: 320, height: 240, frameRate: 15 }" : "false"};
        const media = { mediaConstraints: { audio, video } };
        const ua = new JsSIP.UA({
          sockets: [new JsSIP.WebSocketInterface(${JSON.stringify(gateway.wsUrl)})],
          uri: "sip:${user}@localhost", password: ${JSON.stringify(PASSWORDS[user])},
        });
        window.remote = new MediaStream();
        const asker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(ASKER)}])));
        window.askForKeyFrame = () => asker.postMessage("ask");
        const follow = (session) => {
          window.session = session;
          window.state = "starting";
          window.remote = new MediaStream();
          const tracks = (connection) => connection.addEventListener("track", ({ track }) => {
            window.remote.addTrack(track);
            if (track.kind !== "video") return;
            if (${options.asksForKeyFrames === true}) {
              const receivers = connection.getReceivers();
              receivers.find((each) => each.track === track).transform =
                new RTCRtpScriptTransform(asker);
            }
            const element = document.createElement("video");
            element.srcObject = new MediaStream([track]);
            element.muted = true;
            document.body.append(element);
            void element.play();
          });
          if (session.connection) tracks(session.connection);
          session.on("peerconnection", ({ peerconnection }) => tracks(peerconnection));
          session.on("confirmed", () => { window.state = "confirmed"; });
          session.on("ended", ({ cause }) => { window.state = "ended: " + cause; });
          session.on("failed", ({ cause }) => { window.state = "failed: " + cause; });
        };
        ua.on("newRTCSession", ({ session, originator }) => {
          follow(session);
          if (originator === "remote") session.answer(media);
        });
        window.call = (number) => { ua.call("sip:" + number + "@localhost", media); };
        await new Promise((resolve, reject) => {
          ua.on("registered", resolve);
          ua.on("registrationFailed", ({ cause }) => reject(new Error(cause)));
          ua.start();
        });
      })()`,
    );
    return new JssipPage(page);
  }

  private constructor(page: Page) {
    this.page = page;
  }

  async call(number: string): Promise<void> {
    await this.page.evaluate(`window.call(${JSON.stringify(number)})`);
  }

  /** `starting`, `confirmed`, `ended: …` or `failed: …`. */
  async state(): Promise<string> {
    return await this.page.evaluate<string>("window.state");
  }

  async hold(): Promise<void> {
    await this.#offer("hold");
  }

  async resume(): Promise<void> {
    await this.#offer("unhold");
  }

  /** JsSIP refuses by `false` while it is not ready for another offer, and then calls nobody back. */
  async #offer(method: "hold" | "unhold"): Promise<void> {
    await this.page.evaluate(`new Promise((done) => {
      const attempt = () => {
        if (!window.session.${method}({}, done)) setTimeout(attempt, 50);
      };
      attempt();
    })`);
  }

  async hangUp(): Promise<void> {
    await this.page.evaluate("window.session.terminate()");
  }

  /** Asks the far end for a key frame, as a decoder does that has lost its way. */
  async askForKeyFrame(): Promise<void> {
    await this.page.evaluate("window.askForKeyFrame()");
  }

  async frames(): Promise<Frames> {
    return await this.page.evaluate<Frames>(
      `(async () => {
        const frames = {
          decoded: 0, encoded: 0, keyFramesEncoded: 0, keyFramesDecoded: 0, keyFramesWanted: 0,
          codec: "",
        };
        const report = await window.session.connection.getStats();
        for (const entry of report.values()) {
          if (entry.type === "inbound-rtp" && entry.kind === "video") {
            frames.decoded += entry.framesDecoded ?? 0;
            frames.keyFramesDecoded += entry.keyFramesDecoded ?? 0;
            const codec = report.get(entry.codecId);
            frames.codec = codec === undefined
              ? ""
              : [codec.mimeType, codec.sdpFmtpLine].filter(Boolean).join(" ");
          }
          if (entry.type === "outbound-rtp" && entry.kind === "video") {
            frames.encoded += entry.framesEncoded ?? 0;
            frames.keyFramesEncoded += entry.keyFramesEncoded ?? 0;
            frames.keyFramesWanted += (entry.pliCount ?? 0) + (entry.firCount ?? 0);
          }
        }
        return frames;
      })()`,
    );
  }
}
