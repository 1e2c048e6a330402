import { BrowserMedia } from "../harness/browser-media.ts";
import { TestBrowser } from "../harness/chromium.ts";
import { ClientHelloAttack } from "../harness/client-hello.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { freePorts } from "../harness/ports.ts";
import { type BankCall, SipBank } from "../harness/sip-bank.ts";
import { waitFor } from "../harness/wait.ts";
import type { IncomingCall, OutgoingCall } from "../harness/ws-call.ts";
import { WsCaller } from "../harness/ws-caller.ts";

export interface ClientHelloOptions {
  /** Of one browser: every other one is made by it, the others come to it. */
  readonly calls: number;
  /** Milliseconds from one datagram to each media port to the next. */
  readonly everyMs?: number;
  readonly say?: (text: string) => void;
}

export interface ClientHelloReport {
  readonly datagrams: number;
  /** Calls with sound both ways, and the longest that one took from its answer, milliseconds. */
  readonly heard: number;
  readonly slowestMs: number;
  /** Calls that the gateway negotiated anew, by its log. */
  readonly repaired: number;
  /** Of the calls that ended, by their records. */
  readonly repairsInRecords: number;
}

/** Media ports for each call, and as many again when it moves. */
const PORTS_PER_CALL = 10;
/** A page plays some dozens of streams at most. */
const CALLS_PER_PAGE = 10;
const RE_INVITE_TIMEOUT_MS = 60_000;

/** One call between the browser and the PBX. */
interface AttackedCall {
  readonly id: string;
  readonly media: BrowserMedia;
  readonly leg: OutgoingCall | IncomingCall;
  readonly far: BankCall;
  answeredMs: number;
  heardMs: number | undefined;
}

/**
 * A stranger sends a DTLS ClientHello to every media port while calls ring (CVE-2023-51275), until
 * all are answered; then the calls have to be heard both ways.
 */
export async function clientHello(options: ClientHelloOptions): Promise<ClientHelloReport> {
  const { calls: wanted, everyMs = 50, say = () => {} } = options;
  const lowest = await freePorts(wanted * PORTS_PER_CALL);
  const ports = { min: lowest, max: lowest + wanted * PORTS_PER_CALL - 1 };
  await using bank = await SipBank.open({ host: "127.0.0.2", answer: () => "ring" });
  await using gateway = await startGateway({
    config: {
      media: { ports: `${ports.min}-${ports.max}` },
      trunks: { pbx: { peer: `sip:${bank.address.host}:${bank.address.port}` } },
      dialplan: {
        routes: [
          { name: "in", from: { trunk: "pbx" }, to: "@users", do: { ring: "@to" } },
          { name: "out", to: "_7XX", do: { dial: "pbx" } },
        ],
      },
      limits: { overload: "off", "max-calls-per-user": wanted },
    },
  });
  bank.sendTo(gateway.sip);
  await using browser = await TestBrowser.launch();
  const pages: BrowserMedia[] = [];
  for (let index = 0; index < wanted; index += CALLS_PER_PAGE) {
    const page = await browser.newPage();
    await page.goto(`${gateway.httpUrl}/healthz`);
    pages.push(await BrowserMedia.open(page));
  }
  await using user = await WsCaller.signIn(gateway, "1001");

  const calls: AttackedCall[] = [];
  for (let index = 0; index < wanted; index += 1) {
    const id = `call-${index}`;
    const isOut = index % 2 === 0;
    const media = pages[Math.floor(index / CALLS_PER_PAGE)];
    if (media === undefined) throw new Error("no page for this call");
    const [leg, far] = isOut
      ? await ringOut(user, bank, media, id, index)
      : await ringIn(user, bank);
    calls.push({ id, media, leg, far, answeredMs: 0, heardMs: undefined });
  }
  say(`${calls.length} calls ring`);
  let datagrams = 0;
  // All ring under the attack; but no browser takes up 50 calls in one moment, or plays them all.
  for (let first = 0; first < calls.length; first += CALLS_PER_PAGE) {
    const wave = calls.slice(first, first + CALLS_PER_PAGE);
    const attack = await ClientHelloAttack.start(ports, everyMs);
    try {
      const round = ports.max - ports.min + 1;
      await waitFor(() => attack.sent >= 2 * round, { what: "two datagrams to each port" });
      await Promise.all(wave.map((call) => answer(call, bank)));
    } finally {
      await attack[Symbol.asyncDispose]();
    }
    datagrams += attack.sent;
    const page = pages[first / CALLS_PER_PAGE];
    if (page === undefined) throw new Error("no page for these calls");
    await untilHeard(wave, page);
    for (const { leg } of wave) await leg.bye();
    await page.close();
    say(`${first + wave.length} are answered, after ${datagrams} datagrams`);
  }
  const times = calls.map(({ heardMs = Infinity, answeredMs }) => heardMs - answeredMs);
  const repaired = repairsOf(gateway);
  say(`heard after ${times.map((ms) => Math.round(ms)).join(", ")} ms`);
  const { body } = await gateway.api(`/api/v1/cdrs?limit=${wanted}`);
  return {
    datagrams,
    heard: times.filter(Number.isFinite).length,
    slowestMs: Math.round(Math.max(...times)),
    repaired,
    repairsInRecords: JSON.stringify(body).split('"media repaired"').length - 1,
  };
}

async function ringOut(
  user: WsCaller,
  bank: SipBank,
  media: BrowserMedia,
  id: string,
  index: number,
): Promise<[OutgoingCall, BankCall]> {
  const number = `7${String(index).padStart(2, "0")}`;
  const leg = user.invite(number, { sdp: await media.offer(id) });
  await leg.expectResponse(180);
  const far = [...bank.calls.values()].find(({ invite }) => invite?.uri.user === number);
  if (far === undefined) throw new Error(`${number} does not ring`);
  return [leg, far];
}

async function ringIn(user: WsCaller, bank: SipBank): Promise<[IncomingCall, BankCall]> {
  const far = await bank.begin("1001");
  const leg = await user.incoming();
  leg.ring();
  return [leg, far];
}

/** Answers, and takes every change that comes. */
async function answer(call: AttackedCall, bank: SipBank): Promise<void> {
  const { id, media, leg, far } = call;
  if ("refused" in leg) {
    bank.answer(far);
    const response = await leg.answered(20_000);
    call.answeredMs = performance.now();
    await media.answered(id, response.body.toString());
  } else {
    leg.accept(await media.answer(id, leg.invite.body.toString()));
    call.answeredMs = performance.now();
    await leg.expectRequest("ACK", 20_000);
    await far.answered;
  }
  void takeChanges(call);
}

async function takeChanges({ id, media, leg }: AttackedCall): Promise<void> {
  try {
    for (;;) {
      const request = await leg.expectRequest("INVITE", RE_INVITE_TIMEOUT_MS);
      const sdp = await media.answer(id, request.body.toString());
      leg.respond(request, 200, { sdp });
    }
  } catch {
    // The call, or the test, is over.
  }
}

/** Notes when each call is heard both ways; ends when all are, or 10 s after the last answer. */
async function untilHeard(calls: readonly AttackedCall[], page: BrowserMedia): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline && calls.some(({ heardMs }) => heardMs === undefined)) {
    const heard = await page.heard();
    for (const call of calls) {
      const here = heard[call.id];
      const there = call.far.rtp?.received.length ?? 0;
      if (call.heardMs === undefined && (here?.energy ?? 0) > 0 && there > 0) {
        call.heardMs = performance.now();
      }
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

function repairsOf(gateway: Gateway): number {
  return gateway.logs().filter(({ msg }) => msg === "a call without sound is negotiated anew")
    .length;
}
