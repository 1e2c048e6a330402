import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

import type { SipMessage, SipRequest } from "../../src/signaling/message/message.ts";
import {
  Drachtio,
  DRACHTIO_SECRET,
  hasDrachtio,
  skipWithoutDrachtio,
} from "../harness/drachtio.ts";
import type { YamlValue } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { TcpRelay } from "../harness/tcp-relay.ts";
import { startOffice, type Office, type OfficeOptions } from "./support.ts";

/** Longer than any test file takes. */
const LONG_MS = 3_600_000;

/** An office whose trunks are behind two drachtio-servers. */
export interface DrachtioOffice extends Office {
  /** Carries what goes out as long as it is there. */
  first: Drachtio;
  second: Drachtio;
  /** Stands before the first one's port for applications. */
  readonly relay: TcpRelay;
}

/**
 * As `useOffice`, over drachtio-server; where there is none every test is skipped with the reason.
 *
 * @param trunks more trunks
 */
export function useDrachtioOffice(
  options: OfficeOptions = {},
  trunks: () => Promise<Readonly<Record<string, YamlValue>>> = () => Promise.resolve({}),
): () => DrachtioOffice {
  let office: DrachtioOffice | undefined;
  beforeEach(skipWithoutDrachtio);
  beforeAll(async () => {
    if (!hasDrachtio) return;
    const [first, second] = [await Drachtio.start(), await Drachtio.start()];
    const relay = await TcpRelay.start(first.admin);
    const servers = [relay.address, second.admin].map(({ host, port }) => ({
      host,
      port,
      secret: DRACHTIO_SECRET,
    }));
    const started = await startOffice({
      ...options,
      trunks: await trunks(),
      sections: { ...options.sections, sip: { engine: { drachtio: servers } } },
    });
    started.desk.sendTo(first.sip);
    office = { ...started, first, second, relay };
  });
  afterEach(async () => {
    if (office !== undefined) await expectNothingLeft(office.gateway);
  });
  afterAll(async () => {
    if (office === undefined) return;
    await office.gateway.stop();
    await office.desk.close();
    await office.relay.stop();
    await office.first.kill();
    await office.second.kill();
  });
  return () => {
    if (office === undefined) throw new Error("the office is not there yet");
    return office;
  };
}

/** Of the carrier's account. */
export const ACCOUNT = { username: "gw", password: "trunk-secret" };
const NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093";

/** A carrier that answers every request that reaches it by itself. */
export class Carrier {
  readonly peer: SipPeer;
  readonly requests: SipRequest[] = [];
  readonly #done: Promise<void>;
  #isOver = false;

  /** @param answer answers a request */
  static async start(
    host: string,
    answer: (request: SipRequest, peer: SipPeer) => void,
  ): Promise<Carrier> {
    return new Carrier(await SipPeer.udp(undefined, host), answer);
  }

  private constructor(peer: SipPeer, answer: (request: SipRequest, peer: SipPeer) => void) {
    this.peer = peer;
    this.#done = this.#run(answer);
  }

  /** A registrar that challenges, and answers OPTIONS. */
  static registrar(host: string): Promise<Carrier> {
    return Carrier.start(host, (request, peer) => {
      const isKnown = request.headers.has("Authorization");
      if (request.method === "REGISTER" && !isKnown) {
        const challenge = `Digest realm="carrier.example", nonce="${NONCE}", algorithm=MD5, qop="auth"`;
        peer.respond(request, 401, { toTag: "r", headers: [["WWW-Authenticate", challenge]] });
      } else {
        const contact = request.headers.get("Contact") ?? peer.contact;
        const expires = request.headers.get("Expires") ?? "300";
        const headers = [["Contact", `${contact};expires=${expires}`]] as const;
        peer.respond(request, 200, { toTag: "r", headers });
      }
    });
  }

  get uri(): string {
    const { host, port } = this.peer.local;
    return `sip:${host}:${port}`;
  }

  /** A trunk that leads there, with its account. */
  get trunk(): { readonly [key: string]: YamlValue } {
    return { peer: this.uri, register: { ...ACCOUNT, expires: "1m" } };
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    // Whoever waits for the next request gets one.
    this.peer.sendTo(this.peer.local);
    const uri = `sip:${this.peer.sentBy}`;
    this.peer.request("OPTIONS", { uri, from: `<${uri}>;tag=end`, to: `<${uri}>` });
    await this.#done;
    await this.peer.close();
  }

  async #run(answer: (request: SipRequest, peer: SipPeer) => void): Promise<void> {
    const isRequest = (message: SipMessage): message is SipRequest => message.kind === "request";
    for (;;) {
      const request = await this.peer.receive(isRequest, "a request", LONG_MS);
      if (this.#isOver) return;
      this.requests.push(request);
      // Back to the server that has sent it.
      const { host, port = 5060 } = request.topmostVia;
      this.peer.sendTo({ host, port });
      answer(request, this.peer);
    }
  }
}
