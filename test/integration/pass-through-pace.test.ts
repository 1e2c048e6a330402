import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { formatSocketAddress } from "../../src/core/address.ts";
import type { SipResponse } from "../../src/signaling/message/message.ts";
import { parseMessage } from "../../src/signaling/message/parser.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { hasKamailio, Kamailio } from "../harness/kamailio-registrar.ts";
import { UdpRelay } from "../harness/udp-relay.ts";
import { delay, waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault } from "./support.ts";

/** `OFFHOOK_SOAK=1000` in the environment: so many browsers. */
const BROWSERS = Number(process.env["OFFHOOK_SOAK"] ?? 150);
const RATE = Math.max(40, BROWSERS / 5);
/** What browsers ask for: each comes again within this time. */
const EXPIRES_SECONDS = 20;
const PASSWORD = "one-secret-for-all";
const USERS = Array.from({ length: BROWSERS }, (_, index) => `u${index}`);

/** A REGISTER on its way to the PBX. */
interface Sent {
  readonly atMs: number;
  readonly user: string;
  /** The same one again, because no answer came. */
  readonly isRepeated: boolean;
}

/** A browser that stays registered, as the shipped phone does: it comes again when it is told to. */
class Registered {
  readonly caller: WsCaller;
  /** When the last 200 came. */
  acceptedAtMs = 0;
  readonly refused: number[] = [];
  #isOver = false;

  constructor(caller: WsCaller) {
    this.caller = caller;
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      const response = await this.caller.register({
        expires: EXPIRES_SECONDS,
        timeoutMs: 40_000,
      });
      if (this.#isOver) return;
      await delay(this.#nextMs(response));
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  #nextMs(response: SipResponse): number {
    if (response.statusCode === 200) {
      this.acceptedAtMs = performance.now();
      const seconds = Number(response.contact?.params.get("expires"));
      return seconds * 900;
    }
    this.refused.push(response.statusCode);
    return 1000 * Number(response.headers.get("Retry-After") ?? 5);
  }
}

describe.skipIf(!hasKamailio())("Kamailio as the registrar of many browsers", () => {
  let kamailio: Kamailio;
  let relay: UdpRelay;
  let gateway: Gateway;
  const sent: Sent[] = [];
  const known = new Set<string>();

  beforeAll(async () => {
    kamailio = await Kamailio.start(USERS, PASSWORD);
    relay = await UdpRelay.start({
      target: kamailio.address,
      watch: (octets) => {
        const message = parseMessage(octets);
        if (message.kind !== "request" || message.method !== "REGISTER") return;
        const key = `${message.callId} ${message.cseq.number}`;
        const user = message.from.sipUri.user ?? "";
        sent.push({ atMs: performance.now(), user, isRepeated: known.has(key) });
        known.add(key);
      },
    });
    gateway = await startGateway({
      config: {
        users: {},
        trunks: {
          pbx: {
            peer: `sip:${formatSocketAddress(relay.address)}`,
            accept: kamailio.address.host,
            registrar: true,
            "register-rate": RATE,
          },
        },
      },
    });
  });

  afterAll(async () => {
    expectNoFault(gateway);
    const secrets = /one-secret|a-long-secret|response=/;
    expect(gateway.child.lines.filter((line) => secrets.test(line))).toEqual([]);
    await gateway.stop();
    await relay.stop();
    await kamailio.stop();
  });

  /** Ann calls Bob, each challenged by Kamailio itself, and Bob hangs up. */
  async function joinTwo(through: Gateway): Promise<void> {
    const connect = async (user: string): Promise<WsCaller> => {
      const password = `a-long-secret-of-${user}`;
      const caller = await WsCaller.connect(through, user, { password });
      expect((await caller.register()).statusCode).toBe(200);
      return caller;
    };
    await using ann = await connect("2001");
    await using bob = await connect("2002");
    const call = await ann.inviteWithDigest("2002");
    const incoming = await bob.incoming();
    expect(incoming.invite.from.sipUri.user).toBe("2001");
    await incoming.answer();
    await call.answered();
    await incoming.bye();
    await call.hungUp();
    await expectNothingLeft(through);
    // Kamailio must not find them there any more.
    for (const caller of [ann, bob]) {
      expect((await caller.register({ expires: 0 })).statusCode).toBe(200);
    }
  }

  it("joins two browsers by the gateway's contacts", async () => {
    await joinTwo(gateway);
  });

  it("joins two browsers by their own contacts, with a Path", async () => {
    await using other = await startGateway({
      config: {
        users: {},
        trunks: {
          pbx: {
            peer: `sip:${formatSocketAddress(kamailio.address)}`,
            registrar: true,
            "register-contact": "path",
          },
        },
      },
    });
    await joinTwo(other);
    expectNoFault(other);
  });

  it(
    "gets REGISTERs at the configured rate, and all of them again after it has forgotten them",
    { timeout: 60_000 + BROWSERS * 60 },
    async () => {
      const callers: WsCaller[] = [];
      for (const user of USERS) {
        callers.push(await WsCaller.connect(gateway, user, { password: PASSWORD }));
      }
      const browsers = callers.map((caller) => new Registered(caller));
      const from = sent.length;
      const runs = Promise.allSettled(browsers.map((browser) => browser.run()));
      const untilAll = async (sinceMs: number, what: string): Promise<void> => {
        await waitFor(
          () => browsers.every(({ acceptedAtMs }) => acceptedAtMs > sinceMs) || undefined,
          {
            what,
            timeoutMs: 30_000 + BROWSERS * 30,
            intervalMs: 50,
            detail: () => kamailio.child.tail(),
          },
        );
      };
      await untilAll(0, "all browsers to be registered");
      expect(busiestSecond(sent.slice(from).filter(isFirst))).toBeLessThanOrEqual(RATE * 1.1 + 1);

      await kamailio.restart();
      const backAtMs = performance.now();
      await untilAll(backAtMs, "all browsers to be registered again");
      const tookMs = performance.now() - backAtMs;
      for (const browser of browsers) browser.stop();
      await Promise.all(callers.map((caller) => caller.cut()));
      await runs;

      const after = sent.filter(({ atMs }) => atMs >= backAtMs);
      // Within the time that each was granted, and what its turn took.
      expect(tookMs).toBeLessThan((EXPIRES_SECONDS + 16) * 1000);
      expect(busiestSecond(after.filter(isFirst))).toBeLessThanOrEqual(RATE * 1.1 + 1);
      // Repetitions of what was on its way are all that comes on top.
      expect(busiestSecond(after)).toBeLessThanOrEqual(RATE * 2);
      const byUser = Map.groupBy(after, ({ user }) => user);
      const most = Math.max(...[...byUser.values()].map((own) => own.length));
      // A question, its answer, and one try that was lost with the PBX: twice at most.
      expect(most).toBeLessThanOrEqual(8);
      const refused = browsers.flatMap((browser) => browser.refused).length;
      process.stdout.write(
        `${BROWSERS} browsers, ${RATE} REGISTERs a second: all again ${Math.round(tookMs)} ms after ` +
          `the restart; busiest second ${busiestSecond(after)}, at most ${most} of one browser, ` +
          `${refused} told to come later\n`,
      );
    },
  );
});

function isFirst({ isRepeated }: Sent): boolean {
  return !isRepeated;
}

/** The most in any second. */
function busiestSecond(all: readonly Sent[]): number {
  let most = 0;
  let start = 0;
  for (const [index, { atMs }] of all.entries()) {
    while (atMs - (all[start]?.atMs ?? atMs) >= 1000) start += 1;
    most = Math.max(most, index - start + 1);
  }
  return most;
}
