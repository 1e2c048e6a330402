/**
 * How the transport of the sound is. With pictures a connection may have two transports, and its own
 * `connectionState` is the worse of both: pictures that do not get through say nothing of the sound.
 */
import { hasVideoSection } from "./video-section.ts";

function transportOf(connection: RTCPeerConnection): RTCDtlsTransport | null {
  const sound = connection
    .getTransceivers()
    .find(({ receiver }) => receiver.track.kind === "audio");
  return sound?.receiver.transport ?? null;
}

/** Not every browser has it. */
function iceOf(transport: RTCDtlsTransport): RTCIceTransport | undefined {
  return Reflect.get(transport, "iceTransport") as RTCIceTransport | undefined;
}

/** The state of a connection (W3C WebRTC §4.3.3), judged by the transport of its sound. */
function soundStateOf(connection: RTCPeerConnection): RTCPeerConnectionState {
  if (!hasVideoSection(connection)) return connection.connectionState;
  const transport = transportOf(connection);
  const ice = transport === null ? undefined : iceOf(transport);
  if (transport === null || ice === undefined) return connection.connectionState;
  if (connection.connectionState === "closed") return "closed";
  if (transport.state === "failed" || ice.state === "failed") return "failed";
  if (ice.state === "disconnected") return "disconnected";
  if (transport.state === "new" && ice.state === "new") return "new";
  const isThrough = ice.state === "connected" || ice.state === "completed";
  return isThrough && transport.state === "connected" ? "connected" : "connecting";
}

/** Tells each change of that state, once. */
export class SoundWatch {
  readonly #connection: RTCPeerConnection;
  readonly #onState: (state: RTCPeerConnectionState) => void;
  readonly #watched = new WeakSet<EventTarget>();
  #told: RTCPeerConnectionState = "new";

  constructor(connection: RTCPeerConnection, onState: (state: RTCPeerConnectionState) => void) {
    this.#connection = connection;
    this.#onState = onState;
    connection.addEventListener("connectionstatechange", () => this.#look());
  }

  get state(): RTCPeerConnectionState {
    return soundStateOf(this.#connection);
  }

  /** After a description was set: there may be another transport. */
  follow(): void {
    const transport = transportOf(this.#connection);
    if (transport === null || this.#watched.has(transport)) return;
    this.#watched.add(transport);
    transport.addEventListener("statechange", () => this.#look());
    iceOf(transport)?.addEventListener("statechange", () => this.#look());
  }

  #look(): void {
    const { state } = this;
    if (state === this.#told) return;
    this.#told = state;
    this.#onState(state);
  }
}
