/**
 * One of a user's tabs has the phone, and the others are windows onto it: they show its state and
 * send it what their user wants. Which one it is, is a Web Lock: the browser takes it from a tab that
 * goes away, however it does, and gives it to the next in the same moment.
 */
import type { PhoneState } from "../state.ts";

/** What a tab is told. */
export interface TabEvents {
  /** This tab has the phone, from now until it goes away. */
  onLead(): void;
  /** Another tab has it: from the begin, or has taken it. */
  onFollow(): void;
  /** What the leading tab shows. */
  onMirror(state: PhoneState): void;
  /** The user wants something, in another tab. */
  onCommand(name: string, parameters: readonly unknown[]): void;
}

type Message =
  | { readonly kind: "hello" }
  | { readonly kind: "state"; readonly state: PhoneState }
  | { readonly kind: "command"; readonly name: string; readonly parameters: readonly unknown[] };

/**
 * The tab that has gone takes its registration back, over a connection of its own: it must not take
 * back the one that comes after it, which has the same instance id.
 */
const PAUSE_MS = 250;
/** As much of the graph as another tab draws each second. */
const READINGS_MIRRORED = 60;

function isMessage(value: unknown): value is Message {
  if (typeof value !== "object" || value === null) return false;
  const kind: unknown = Reflect.get(value, "kind");
  return kind === "hello" || kind === "state" || kind === "command";
}

function mirrored(state: PhoneState): PhoneState {
  const short = <Call extends { readonly quality: readonly unknown[] }>(call: Call): Call => ({
    ...call,
    quality: call.quality.slice(-READINGS_MIRRORED),
  });
  return {
    ...state,
    call: state.call === undefined ? undefined : short(state.call),
    others: state.others.map(short),
  };
}

/** One tab's share in the phone of one user. */
export class Tabs {
  readonly #name: string;
  readonly #events: TabEvents;
  readonly #channel: BroadcastChannel;
  readonly #life = new AbortController();
  /** Ends the wait for the lock, when it is taken by force instead. */
  #turn = new AbortController();
  #isLeading = false;
  #state: PhoneState | undefined;
  /** Gives the lock back. */
  #release: (() => void) | undefined;

  /** @param name of the phone: the gateway and the user */
  constructor(name: string, events: TabEvents) {
    this.#name = name;
    this.#events = events;
    this.#channel = new BroadcastChannel(name);
    this.#channel.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (isMessage(data)) this.#onMessage(data);
    });
    void this.#contend();
  }

  /** What this tab shows, for the others; heard only while it leads. */
  tell(state: PhoneState): void {
    this.#state = state;
    if (this.#isLeading) this.#post({ kind: "state", state: mirrored(state) });
  }

  /** For a tab that follows. */
  command(name: string, parameters: readonly unknown[]): void {
    this.#post({ kind: "command", name, parameters });
  }

  /** Has no share any more; the next tab gets the phone. */
  leave(): void {
    this.#isLeading = false;
    this.#life.abort();
    this.#release?.();
    this.#channel.close();
  }

  /** Takes the phone from the tab that has it: the user wants it here. */
  take(): void {
    if (this.#isLeading || this.#life.signal.aborted) return;
    this.#turn.abort();
    navigator.locks
      .request(this.#name, { steal: true }, () => this.#hold(PAUSE_MS))
      .catch(() => this.#onTaken());
  }

  async #contend(): Promise<void> {
    try {
      const outcome = await navigator.locks.request(
        this.#name,
        { ifAvailable: true },
        async (lock) => {
          if (lock === null) return "taken";
          await this.#hold(0);
          return "left";
        },
      );
      if (outcome === "taken") this.#follow();
    } catch {
      // A browser without locks: its tabs each have a phone of their own.
      if (this.#isLeading) this.#onTaken();
      else if (!this.#life.signal.aborted) this.#events.onLead();
    }
  }

  /** Has the phone until it leaves. */
  #hold(pauseMs: number): Promise<void> {
    if (this.#life.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#release = resolve;
      const lead = (): void => {
        if (this.#life.signal.aborted) return;
        this.#isLeading = true;
        this.#events.onLead();
      };
      if (pauseMs === 0) lead();
      else setTimeout(lead, pauseMs);
    });
  }

  /** Another tab has the phone: waits for its turn. */
  #follow(): void {
    if (this.#life.signal.aborted) return;
    this.#isLeading = false;
    this.#turn = new AbortController();
    this.#events.onFollow();
    this.#post({ kind: "hello" });
    navigator.locks
      .request(
        this.#name,
        { signal: AbortSignal.any([this.#life.signal, this.#turn.signal]) },
        () => this.#hold(PAUSE_MS),
      )
      .catch(() => {
        if (this.#isLeading) this.#onTaken();
      });
  }

  #onTaken(): void {
    this.#release?.();
    this.#release = undefined;
    this.#follow();
  }

  #onMessage(message: Message): void {
    switch (message.kind) {
      case "hello":
        if (this.#isLeading && this.#state !== undefined) this.tell(this.#state);
        return;
      case "state":
        if (!this.#isLeading) this.#events.onMirror(message.state);
        return;
      case "command":
        if (this.#isLeading) this.#events.onCommand(message.name, message.parameters);
    }
  }

  #post(message: Message): void {
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- BroadcastChannel has none
      this.#channel.postMessage(message);
    } catch {
      // Closed meanwhile.
    }
  }
}
