import { type Gateway, startGateway, type YamlValue } from "../harness/gateway.ts";
import { metric } from "../harness/gateway-state.ts";
import { TestRtpengine } from "../harness/rtpengine.ts";
import { type BankCall, SipBank } from "../harness/sip-bank.ts";
import { WsCaller } from "../harness/ws-caller.ts";

export interface EndingsOptions {
  /** Divided among the ways; default 1000. */
  readonly calls?: number;
  readonly say?: (text: string) => void;
}

export interface EndingsReport {
  /** Calls that ended in each way. */
  readonly ended: Readonly<Record<string, number>>;
  /** Seconds from the last end until rtpengine had no session; undefined: more than 60. */
  readonly emptyAfterSeconds: number | undefined;
  readonly sessionsLeft: number;
  readonly callsLeft: number;
}

const AT_ONCE = 10;
const LIMIT_MS = 60_000;
/** What `media.timeout` and the ring time are in it. */
const TIMEOUT = "5s";

/** Calls that end in every way that there is; then rtpengine must have forgotten all of them. */
export async function endings(options: EndingsOptions = {}): Promise<EndingsReport> {
  const { calls: wanted = 1000, say = () => {} } = options;
  await using callers = await SipBank.open({ host: "127.0.0.2", hasSound: false });
  await using callees = await SipBank.open({
    host: "127.0.0.3",
    hasSound: false,
    answer: answerOf,
  });
  await using rtpengine = await TestRtpengine.start({ mediaPorts: 4000 });
  const trunk = (bank: SipBank): YamlValue => ({
    peer: `sip:${bank.address.host}:${bank.address.port}`,
  });
  await using gateway = await startGateway({
    config: {
      media: { rtpengine: [`udp:127.0.0.1:${rtpengine.ngPort}`], timeout: TIMEOUT },
      trunks: { callers: trunk(callers), callees: trunk(callees) },
      dialplan: {
        routes: [{ name: "callees", to: "_7XX", do: { dial: "callees", timeout: TIMEOUT } }],
      },
      limits: { overload: "off", "max-calls-per-user": 1000 },
    },
  });
  callers.sendTo(gateway.sip);
  callees.sendTo(gateway.sip);
  const stage = { gateway, callers, callees };
  const ended: Record<string, number> = {};
  const each = Math.ceil(wanted / WAYS.length);
  for (const { name, end } of WAYS) {
    let left = each;
    let done = 0;
    const work = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await end(stage);
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    ended[name] = done;
    say(`${done} calls: ${name}; ${(await rtpengine.callIds()).length} sessions now`);
  }
  const overMs = performance.now();
  let sessionsLeft = (await rtpengine.callIds()).length;
  while (sessionsLeft > 0 && performance.now() - overMs < LIMIT_MS) {
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
    sessionsLeft = (await rtpengine.callIds()).length;
  }
  const seconds = Math.round((performance.now() - overMs) / 100) / 10;
  return {
    ended,
    emptyAfterSeconds: sessionsLeft === 0 ? seconds : undefined,
    sessionsLeft,
    callsLeft: await metric(gateway, "offhook_calls_active"),
  };
}

interface Stage {
  readonly gateway: Gateway;
  readonly callers: SipBank;
  readonly callees: SipBank;
}

/** What a callee does, by the number that is dialled. */
function answerOf(number: string): number | "ring" {
  if (number === "786") return 486;
  if (number === "783") return 503;
  return number === "780" ? "ring" : 200;
}

const WAYS: readonly { readonly name: string; end(stage: Stage): Promise<void> }[] = [
  {
    name: "BYE of the caller",
    end: async ({ callers }) => callers.hangUp(await callers.dial("701")),
  },
  {
    name: "BYE of the callee",
    end: async ({ callers, callees }) => {
      const call = await callers.dial("702");
      const far = callees.live.find((each) => each.invite?.uri.user === "702" && !each.isSilent);
      if (far === undefined) throw new Error("the callee has no call");
      // Marks it as taken.
      far.isSilent = true;
      await callees.hangUp(far);
      await call.over;
    },
  },
  { name: "CANCEL while it rings", end: ({ callers }) => cancelled(callers, "780", 100) },
  { name: "CANCEL that crosses the 200", end: ({ callers }) => cancelled(callers, "701", 0) },
  { name: "486", end: ({ callers }) => refused(callers, "786") },
  { name: "503", end: ({ callers }) => refused(callers, "783") },
  { name: "no answer in time", end: ({ callers }) => refused(callers, "780") },
  {
    name: "connection lost",
    end: async ({ gateway }) => {
      const user = await WsCaller.signIn(gateway, "1001");
      await user.call("701");
      await user.cut();
    },
  },
  {
    name: "peer killed",
    end: async ({ callers }) => {
      callers.forget(await callers.dial("701"));
    },
  },
];

async function refused(callers: SipBank, number: string): Promise<void> {
  const call = await callers.begin(number);
  await call.over;
}

/** CANCEL after that time; a call that was answered all the same is hung up. */
async function cancelled(callers: SipBank, number: string, afterMs: number): Promise<void> {
  const call: BankCall = await callers.begin(number);
  await new Promise((resolve) => {
    setTimeout(resolve, afterMs + Math.random() * 20);
  });
  callers.cancel(call);
  await call.answered.then(
    () => callers.hangUp(call),
    () => undefined,
  );
}
