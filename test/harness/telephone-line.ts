import { encodeToneDigit, toneDigits } from "./dtmf-tones.ts";
import { RtpPeer } from "./rtpengine.ts";

/** RFC 4733 §3.2. */
const DIGITS = "0123456789*#ABCD";
const FRAME_MS = 20;
const SILENCE = Buffer.alloc(160, 0xff);

/**
 * A telephone's line of PCMU: a packet each 20 ms as long as it talks, with digits in between as the
 * test wants them, and what it hears told apart: events and tones.
 */
export class TelephoneLine implements AsyncDisposable {
  readonly peer: RtpPeer;
  /** Payload type of its telephone-event. */
  eventType = 101;
  #port: number | undefined;
  #talk: ReturnType<typeof setInterval> | undefined;

  static async open(host = "127.0.0.1"): Promise<TelephoneLine> {
    return new TelephoneLine(await RtpPeer.open(host));
  }

  private constructor(peer: RtpPeer) {
    this.peer = peer;
  }

  /** Talks to this port of 127.0.0.1 from now on. */
  talkTo(port: number): void {
    this.#port = port;
    clearInterval(this.#talk);
    this.#talk = setInterval(() => this.#send(0, SILENCE), FRAME_MS);
  }

  /** Says nothing any more. */
  fallSilent(): void {
    clearInterval(this.#talk);
  }

  /** Digits as events of RFC 4733: 100 ms each, the end three times, then a pause. */
  async sendEvents(digits: string): Promise<void> {
    await this.#instead(async () => {
      for (const digit of digits) {
        const code = DIGITS.indexOf(digit);
        for (let step = 1; step <= 5; step += 1) {
          this.#send(this.eventType, event(code, false, step * 160), {
            advance: step === 1 ? 160 : 0,
            marker: step === 1,
          });
          await tick();
        }
        for (let end = 0; end < 3; end += 1) {
          this.#send(this.eventType, event(code, true, 800), { advance: 0 });
        }
        for (let frame = 0; frame < 4; frame += 1) {
          // The line moves on by what the event has lasted.
          this.#send(0, SILENCE, { advance: frame === 0 ? 800 : 160 });
          await tick();
        }
      }
    });
  }

  /** Digits as tones: 100 ms each, then a pause. */
  async sendTones(digits: string): Promise<void> {
    await this.#instead(async () => {
      for (const digit of digits) {
        for (const frame of [...encodeToneDigit(digit, 5), SILENCE, SILENCE, SILENCE, SILENCE]) {
          this.#send(0, frame);
          await tick();
        }
      }
    });
  }

  /** Digits that came as events: each once, by its timestamp. */
  heardEvents(): string {
    const begun = new Map<number, number>();
    for (const { payloadType, timestamp, payload } of this.peer.received) {
      if (payloadType >= 96) begun.set(timestamp, payload[0] ?? 99);
    }
    return [...begun.values()].map((code) => DIGITS[code] ?? "?").join("");
  }

  /** Digits that came as tones. */
  heardTones(): string {
    const sound = this.peer.received.filter(({ payloadType }) => payloadType === 0);
    return toneDigits(Buffer.concat(sound.map(({ payload }) => payload)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#talk);
    await this.peer[Symbol.asyncDispose]();
  }

  async #instead(action: () => Promise<void>): Promise<void> {
    const port = this.#port;
    if (port === undefined) throw new Error("the line talks to nobody yet");
    clearInterval(this.#talk);
    await action();
    this.talkTo(port);
  }

  #send(
    payloadType: number,
    payload: Buffer,
    options: { readonly advance?: number; readonly marker?: boolean } = {},
  ): void {
    if (this.#port !== undefined) this.peer.send(this.#port, payloadType, payload, options);
  }
}

function event(code: number, isEnd: boolean, duration: number): Buffer {
  return Buffer.from([code, (isEnd ? 0x80 : 0) | 10, duration >> 8, duration & 0xff]);
}

async function tick(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, FRAME_MS);
  });
}
