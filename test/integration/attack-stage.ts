import { createSocket } from "node:dgram";

import { randomToken } from "../../src/core/ids.ts";
import { buildResponse } from "../../src/signaling/message/build.ts";
import type { SipRequest } from "../../src/signaling/message/message.ts";
import { parseMessage } from "../../src/signaling/message/parser.ts";
import { serializeMessage } from "../../src/signaling/message/serializer.ts";
import { exchange, signIn } from "../conformance/exchange.ts";
import type { Outcome } from "../conformance/exchange.ts";
import { udpLine, webSocketLine } from "../conformance/line.ts";
import type { Line } from "../conformance/line.ts";
import { viaPortOf } from "../conformance/stands.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { chromiumSdp } from "../media/samples.ts";
import { corpus } from "../signaling/message/corpus.ts";

export const NEAR_HOST = "127.0.44.21";
const FAR_HOST = "127.0.44.22";
export const ASKER = { user: "1000", domain: "gw.test" };
const PASSWORD = "password-of-the-caller";

const ANSWERS: ReadonlyMap<string, number> = new Map([
  ["INVITE", 486],
  ["SUBSCRIBE", 489],
]);

/** The leg behind the gateway: what comes is written down, an INVITE answered 486, a SUBSCRIBE 489. */
export class FarLeg {
  readonly invites: SipRequest[] = [];
  readonly raw: string[] = [];
  readonly #socket = createSocket("udp4");

  async open(): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#socket.bind(0, FAR_HOST, resolve);
    });
    this.#socket.on("message", (octets, { address, port }) => {
      const message = parseMessage(octets);
      if (message.kind !== "request" || message.method === "ACK") return;
      if (message.method === "INVITE") this.invites.push(message);
      const status = ANSWERS.get(message.method) ?? 200;
      if (status !== 200) this.raw.push(octets.toString("latin1"));
      const response = buildResponse(message, status, { toTag: randomToken(8) });
      this.#socket.send(serializeMessage(response), port, address);
    });
    return this.#socket.address().port;
  }

  /** What has come since the last time. */
  take(): { readonly invites: readonly SipRequest[]; readonly raw: readonly string[] } {
    return { invites: this.invites.splice(0), raw: this.raw.splice(0) };
  }

  close(): void {
    this.#socket.close();
  }
}

/** The gateway that is attacked, between two trunks: one that attacks and the far leg. */
export async function startAttacked(far: FarLeg): Promise<Gateway> {
  const port = await far.open();
  return await startGateway({
    // A small heap is collected often: what its process takes then is what is really held.
    env: { NODE_OPTIONS: "--max-old-space-size=96 --max-semi-space-size=4" },
    config: {
      domain: ASKER.domain,
      users: {
        "1000": { name: "Caller", password: PASSWORD, numbers: ["+15550199"] },
        "1001": { name: "CEO", password: "password-of-the-ceo" },
      },
      trunks: {
        near: { peer: `sip:${NEAR_HOST}:5070` },
        far: { peer: `sip:${FAR_HOST}:${port}` },
      },
      dialplan: {
        routes: [
          { name: "premium", to: "_00882.", do: { reject: 403 } },
          { name: "out", to: "2000", do: { dial: "far" } },
        ],
      },
    },
  });
}

const STANDS = {
  trunk: (gateway, octets) =>
    udpLine({ host: NEAR_HOST, port: viaPortOf({ octets }) }, gateway.sip),
  browser: async (gateway) => {
    const line = await webSocketLine(gateway.wsUrl);
    await signIn(line, ASKER, PASSWORD);
    return line;
  },
} as const satisfies Readonly<Record<string, (gateway: Gateway, octets: Buffer) => Promise<Line>>>;

/** Where an attack comes from. */
export type StandName = keyof typeof STANDS;

/** Sends one attack over a connection of its own. */
export async function attack(
  gateway: Gateway,
  stand: StandName,
  octets: Buffer,
  isAnswered: boolean,
): Promise<Outcome> {
  const open = (): Promise<Line> => STANDS[stand](gateway, octets);
  const line = await open();
  const outcome = await exchange({
    line,
    octets,
    asker: ASKER,
    isAnswered,
    reopen: open,
  });
  await line.close();
  return outcome;
}

interface Row {
  readonly file: string;
  /** null: no answer. */
  readonly trunk: number | null;
  readonly browser: number | null;
  /** Stands from which the call reaches the other leg. */
  readonly reaches: readonly StandName[];
}

/** What this gateway does other than the engine alone, which knows no route. */
const THROUGH = { trunk: 486, browser: 488, reaches: ["trunk"] } as const;
const BAD_SDP = { trunk: 488, browser: 488, reaches: [] } as const;
const CALLS: readonly (readonly [name: string, row: Omit<Row, "file">])[] = [
  ["smuggle-01", THROUGH],
  ["smuggle-03", THROUGH],
  ["smuggle-07", THROUGH],
  ["identity-01", THROUGH],
  // A From of another user on the connection of 1000 is challenged again.
  ["identity-03", { trunk: 486, browser: 401, reaches: ["trunk"] }],
  ["inject-03", THROUGH],
  // A trunk is trusted with its media addresses; a browser has none but those of ICE.
  ["inject-09", THROUGH],
  ["inject-11", THROUGH],
  ["inject-13", THROUGH],
  ["inject-15", { trunk: 405, browser: 401, reaches: [] }],
  ["inject-17", THROUGH],
  ["auth-05", THROUGH],
  ["auth-11", { trunk: 405, browser: 401, reaches: [] }],
  // A user's subscription goes where a call would; a trunk's goes nowhere.
  ["auth-13", { trunk: 404, browser: 489, reaches: [] }],
  ["redos-07", { trunk: 513, browser: 488, reaches: [] }],
  ["route-01", THROUGH],
  ["route-07", { trunk: 403, browser: 403, reaches: [] }],
  ["sdp-01", BAD_SDP],
  ["sdp-03", THROUGH],
  ["sdp-05", BAD_SDP],
  ["sdp-07", THROUGH],
  ["syntax-09", THROUGH],
];

/** Every attack, with what comes of it from each stand. */
export const ATTACKS = corpus("gateway-attacks/").map((entry) => {
  const name = entry.file.replace("gateway-attacks/", "");
  const call = CALLS.find(([prefix]) => name.startsWith(prefix))?.[1];
  const { trunk, browser } = entry.answers;
  return { name, octets: entry.octets, ...(call ?? { trunk, browser, reaches: [] }) };
});

/** Those whose call a browser can make with an offer of its own. */
export const CARRIED = ATTACKS.filter(
  ({ name, browser, reaches }) => browser === 488 && reaches.length > 0 && !name.startsWith("sdp"),
);

/** A file with the offer of a browser in the place of its own. */
export function withBrowserOffer(octets: Buffer): Buffer {
  const [head = ""] = octets.toString("latin1").split("\r\n\r\n", 1);
  const offer = chromiumSdp();
  const length = `Content-Length: ${Buffer.byteLength(offer)}`;
  return Buffer.from(`${head.replace(/Content-Length: \d+/, length)}\r\n\r\n${offer}`, "latin1");
}

/** What the gateway has logged as a fault of its own. */
export function problemsOf(gateway: Gateway): readonly string[] {
  return gateway
    .logs()
    .filter(({ fields }) => Number(fields.get("level")) >= 50 || fields.get("level") === "error")
    .map(({ text }) => text);
}
