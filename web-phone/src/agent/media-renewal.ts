/**
 * When the sound of a call needs a new way through the network, and how often that is tried. It
 * decides only: the new peer connection and its re-INVITE are the call's.
 *
 * Never an ICE restart of the old connection: against a gateway whose address and port stay the
 * same, Chromium may keep the old remote credentials and fall mute. A new connection cannot.
 */

/** W3C `RTCPeerConnectionState`. */
export type ConnectionState =
  | "new"
  | "connecting"
  | "connected"
  | "disconnected"
  | "failed"
  | "closed";

/** What the renewal needs of its call. */
export interface MediaRenewalPorts {
  /**
   * Sends a re-INVITE from a new peer connection.
   *
   * @param isRelayOnly over a TURN server alone
   * @returns whether it was accepted
   */
  readonly renew: (isRelayOnly: boolean) => Promise<boolean>;
  /** Whether a request would reach the gateway now. */
  readonly isLinkReady: () => boolean;
  /** Makes a new connection to the gateway; `onLinkReady` follows when it stands. */
  readonly renewLink: () => void;
  /** Whether anything arrives over the connection that stands. */
  readonly isPathAlive: () => Promise<boolean>;
  /** Whether there is a TURN server. */
  readonly hasRelay: boolean;
  /** Nothing has helped: the call has no sound and will get none. */
  readonly onGivenUp: () => void;
}

/**
 * `idle`: the call is not answered yet. `steady`: the sound flows, for all that is known.
 * `suspect`: the browser hears nothing of the gateway for a moment. `wanting`: a new connection is
 * needed and the SIP link, or a pause, is waited for. `renewing`: the re-INVITE is out; `isStale`
 * when the network has changed again since. `settling`: accepted, and ICE is to connect. `over`.
 */
type State =
  | { readonly kind: "idle" }
  | { readonly kind: "steady" }
  | { readonly kind: "suspect" }
  | { readonly kind: "wanting" }
  | { readonly kind: "renewing"; readonly isStale: boolean }
  | { readonly kind: "settling" }
  | { readonly kind: "over" };

/** After this long without an answer to its checks a browser says `disconnected` already. */
const DISCONNECTED_MS = 2_000;
/** ICE and DTLS over any network that a call can live on. */
const SETTLING_MS = 6_000;
const PAUSE_MS = 1_000;
/** Longer than the gateway keeps a call whose browser is gone. */
const NO_LINK_MS = 60_000;
/** The second one is relay-only where there is a relay. */
const MAX_TRIES = 3;

/** See the head of this file. */
export class MediaRenewal {
  readonly #ports: MediaRenewalPorts;
  #state: State = { kind: "idle" };
  /** Connections tried since sound last flowed. */
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: MediaRenewalPorts) {
    this.#ports = ports;
  }

  /** The call is answered: from now on the far end can be asked for a change. */
  onAnswered(isConnected: boolean): void {
    if (this.#state.kind !== "idle") return;
    if (isConnected) this.#enter({ kind: "steady" });
    else this.#settle();
  }

  /** The browser is in another network now. */
  onNetworkChanged(): void {
    switch (this.#state.kind) {
      case "steady":
      case "suspect":
      case "settling":
        this.#tries = 0;
        this.#want();
        return;
      case "renewing":
        this.#enter({ kind: "renewing", isStale: true });
        return;
      case "wanting":
        this.#tries = 0;
        this.#want();
        return;
      case "idle":
      case "over":
    }
  }

  /** The browser may be in another network: looks whether sound still comes. */
  onNetworkHint(): void {
    if (this.#state.kind !== "steady") return;
    void this.#ports.isPathAlive().then((isAlive) => {
      if (!isAlive && this.#state.kind === "steady") this.#want();
    });
  }

  /** The SIP link carries requests again. */
  onLinkReady(): void {
    switch (this.#state.kind) {
      case "wanting":
        this.#want();
        return;
      case "steady":
        this.onNetworkHint();
        return;
      case "idle":
      case "suspect":
      case "renewing":
      case "settling":
      case "over":
    }
  }

  /** Of the connection that stands. */
  onConnectionState(state: ConnectionState): void {
    switch (state) {
      case "connected":
        this.#onConnected();
        return;
      case "disconnected":
        if (this.#state.kind !== "steady") return;
        this.#enter({ kind: "suspect" });
        this.#timer = setTimeout(() => this.#wantAll(), DISCONNECTED_MS);
        return;
      case "failed":
        this.#onFailed();
        return;
      case "new":
      case "connecting":
      case "closed":
    }
  }

  /** The call has ended. */
  close(): void {
    this.#enter({ kind: "over" });
  }

  #onConnected(): void {
    switch (this.#state.kind) {
      case "suspect":
      case "settling":
        this.#tries = 0;
        this.#enter({ kind: "steady" });
        return;
      case "idle":
      case "steady":
      case "wanting":
      case "renewing":
      case "over":
    }
  }

  #onFailed(): void {
    switch (this.#state.kind) {
      case "steady":
      case "suspect":
        this.#wantAll();
        return;
      case "settling":
        this.#again();
        return;
      case "idle":
        // Not answered, so nothing can be changed: it will not connect any more.
        this.#giveUp();
        return;
      case "wanting":
      case "renewing":
      case "over":
    }
  }

  /** Where sound does not get through, the SIP link may be dead without knowing. */
  #wantAll(): void {
    this.#enter({ kind: "wanting" });
    this.#ports.renewLink();
    this.#want();
  }

  #want(): void {
    this.#enter({ kind: "wanting" });
    if (!this.#ports.isLinkReady()) {
      this.#timer = setTimeout(() => this.#giveUp(), NO_LINK_MS);
      return;
    }
    this.#tries += 1;
    this.#enter({ kind: "renewing", isStale: false });
    const isRelayOnly = this.#ports.hasRelay && this.#tries === 2;
    this.#ports.renew(isRelayOnly).then(
      (isAccepted) => this.#onRenewed(isAccepted),
      () => this.#onRenewed(false),
    );
  }

  #onRenewed(isAccepted: boolean): void {
    if (this.#state.kind !== "renewing") return;
    if (this.#state.isStale) {
      this.#tries = 0;
      this.#want();
    } else if (isAccepted) {
      this.#settle();
    } else {
      this.#again();
    }
  }

  #settle(): void {
    this.#enter({ kind: "settling" });
    this.#timer = setTimeout(() => this.#again(), SETTLING_MS);
  }

  #again(): void {
    if (this.#tries >= MAX_TRIES) {
      this.#giveUp();
      return;
    }
    // A first try that was the call's own connection: the next one is the relay's, if there is one.
    if (this.#tries === 0) this.#tries = 1;
    this.#enter({ kind: "wanting" });
    this.#timer = setTimeout(() => this.#want(), PAUSE_MS);
  }

  #giveUp(): void {
    this.#enter({ kind: "over" });
    this.#ports.onGivenUp();
  }

  #enter(state: State): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#state = state;
  }
}
