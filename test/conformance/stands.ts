import type { SocketAddress } from "../../src/core/address.ts";
import { tryParseMessage } from "../../src/signaling/message/parser.ts";
import { TestEngine } from "../harness/signaling-engine.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import type { CorpusFile } from "../signaling/message/corpus.ts";
import { signIn } from "./exchange.ts";
import type { Asker } from "./exchange.ts";
import { tcpLine, udpLine, webSocketLine } from "./line.ts";
import type { Line } from "./line.ts";

/** An address of a trunk, and one that belongs to nobody. The ports are those of each Via. */
const TRUNK_HOST = "127.0.44.1";
const STRANGER_HOST = "127.0.44.2";
const PASSWORD = "the password of everybody";

/** Whose domain the files of a folder speak of. */
const DOMAINS: readonly (readonly [folder: string, domain: string])[] = [
  ["gateway-attacks/", "gw.test"],
  ["valid-flows/rfc3327/", "EXAMPLEHOME.COM"],
  ["valid-flows/rfc3665/", "biloxi.example.com"],
  ["", "example.com"],
];

/** The domain that the gateway must have for a file. */
export function domainOf(file: string): string {
  return DOMAINS.find(([folder]) => file.startsWith(folder))?.[1] ?? "";
}

/** From where a message is sent, and what must come back. */
export interface Stand {
  readonly name: string;
  readonly transport: Line["transport"];
  open(engine: ConformanceEngine, file: CorpusFile): Promise<Line>;
  expected(file: CorpusFile): Expected;
  /** What OPTIONS gets there. */
  readonly probeStatus: number;
}

/** What must come back. */
export interface Expected {
  /** Final responses, in order. */
  readonly statuses: readonly number[];
  /** The connection is closed behind it. */
  readonly isClosed: boolean;
  /** The rest of the message is waited for, so that nothing behind it is answered. */
  readonly waits: boolean;
  /** What the OPTIONS behind it gets. */
  readonly probe: number;
}

function only(status: number | null, probe: number): Expected {
  return { statuses: status === null ? [] : [status], isClosed: false, waits: false, probe };
}

export const STANDS: readonly Stand[] = [
  {
    name: "UDP, a trunk",
    transport: "UDP",
    open: ({ engine }, file) => udpLine({ host: TRUNK_HOST, port: viaPortOf(file) }, engine.udp),
    expected: ({ answers }) => only(answers.trunk, 200),
    probeStatus: 200,
  },
  {
    name: "UDP, a stranger",
    transport: "UDP",
    open: ({ engine }, file) => udpLine({ host: STRANGER_HOST, port: viaPortOf(file) }, engine.udp),
    // There is nothing that a stranger over UDP could sign in with.
    expected: ({ answers, outcome }) => {
      const isHeard =
        answers.stranger === 401 || (outcome === "accept" && answers.stranger === 400);
      if (!isHeard) return only(answers.stranger, 403);
      return only(answers.trunk === 513 ? 513 : 403, 403);
    },
    probeStatus: 403,
  },
  {
    name: "TCP, a trunk",
    transport: "TCP",
    open: ({ engine }) => tcpLine(TRUNK_HOST, engine.tcp),
    expected: ({ answers }) => answers.stream ?? only(answers.trunk, 200),
    probeStatus: 200,
  },
  {
    name: "WS, signed in",
    transport: "WS",
    open: async ({ engine, domain }, file) => {
      const line = await webSocketLine(engine.webSocketUrl);
      await signIn(line, askerOf(file, domain), PASSWORD);
      return line;
    },
    expected: ({ answers }) => only(answers.browser, 200),
    probeStatus: 200,
  },
  {
    name: "WS, a stranger",
    transport: "WS",
    open: ({ engine }) => webSocketLine(engine.webSocketUrl),
    expected: ({ answers }) => only(answers.stranger, 401),
    probeStatus: 401,
  },
];

/** The user in From, where From can be read. */
export function askerOf(file: CorpusFile, domain: string): Asker {
  const message = tryParseMessage(file.octets);
  return { user: message instanceof Error ? "1000" : (message.from.sipUri.user ?? ""), domain };
}

/** RFC 3261 §18.2.2: where a UDP client is answered that asks for no rport. */
export function viaPortOf({ octets }: Pick<CorpusFile, "octets">): number {
  const message = tryParseMessage(octets);
  if (!(message instanceof Error)) return message.topmostVia.port ?? 5060;
  const [hop] = /SIP\/\d\.\d\/\w+ +[^ ;,\r]+/.exec(octets.toString("latin1")) ?? [];
  return Number(/:(\d+)$/.exec(hop ?? "")?.[1] ?? 5060);
}

/** An engine that lets everybody sign in, with two trunks and no route for any call. */
export interface ConformanceEngine {
  readonly engine: TestEngine;
  readonly domain: string;
  readonly logger: RecordingLogger;
  /** The trunk that nothing may ever reach. */
  readonly bystander: SipPeer;
  stop(): Promise<{ readonly transactions: number; readonly dialogs: number }>;
}

export async function startEngine(domain: string): Promise<ConformanceEngine> {
  const bystander = await SipPeer.udp();
  const toward: SocketAddress = bystander.local;
  const logger = new RecordingLogger();
  const engine = await TestEngine.start({
    domain,
    logger,
    isOnTcp: true,
    trunks: [
      { id: "office", peer: `sip:${TRUNK_HOST}:5060` },
      { id: "bystander", peer: `sip:${toward.host}:${toward.port}`, accept: ["192.0.2.77"] },
    ],
    credentials: {
      find: (username) => ({ userId: decodeURIComponent(username), password: PASSWORD }),
    },
    handler: {
      onInvite(invite) {
        invite.attach({ onCancelled() {} });
        invite.reject(404);
      },
    },
  });
  engine.adopt(bystander);
  return { engine, domain, logger, bystander, stop: () => engine.stop() };
}
