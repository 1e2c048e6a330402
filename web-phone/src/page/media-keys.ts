/**
 * The keys of headsets and of the system for a call: hang up, and the microphone (W3C Media
 * Session). Set only while a call is up, so that they belong to others before and after.
 */

/** What the keys do. */
export interface MediaKeyEvents {
  onHangUp(): void;
  onToggleMicrophone(): void;
}

/** What the system shows of the call. */
export interface MediaKeyCall {
  readonly title: string;
  readonly isMuted: boolean;
}

/** See the head of this file. */
export class MediaKeys {
  readonly #events: MediaKeyEvents;
  #shown: MediaKeyCall | undefined;

  constructor(events: MediaKeyEvents) {
    this.#events = events;
  }

  /** @param call undefined: none is up */
  show(call: MediaKeyCall | undefined): void {
    const session: MediaSession | undefined = Reflect.get(navigator, "mediaSession");
    if (session === undefined) return;
    const before = this.#shown;
    this.#shown = call;
    if ((before === undefined) !== (call === undefined)) {
      this.#handle(session, call === undefined);
    }
    if (call === undefined) {
      session.metadata = null;
      return;
    }
    if (before?.title !== call.title) session.metadata = new MediaMetadata({ title: call.title });
    if (before?.isMuted !== call.isMuted) {
      const setActive: unknown = Reflect.get(session, "setMicrophoneActive");
      if (typeof setActive === "function") Reflect.apply(setActive, session, [!call.isMuted]);
    }
  }

  #handle(session: MediaSession, isOver: boolean): void {
    const setHandler: unknown = Reflect.get(session, "setActionHandler");
    if (typeof setHandler !== "function") return;
    const actions: readonly (readonly [string, () => void])[] = [
      ["hangup", () => this.#events.onHangUp()],
      ["togglemicrophone", () => this.#events.onToggleMicrophone()],
    ];
    for (const [action, handler] of actions) {
      try {
        Reflect.apply(setHandler, session, [action, isOver ? null : handler]);
      } catch {
        // This browser knows no such key.
      }
    }
  }
}
