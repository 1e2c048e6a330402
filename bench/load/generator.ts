/**
 * The callers of one gateway, in a process of their own, told what to do over the IPC channel. Frugal
 * on purpose: it shares the machine with what it measures.
 */
import { Caller } from "./caller.ts";
import type { Call, CallCounts, CallLog } from "./caller.ts";
import { openUdp, openWebSocket } from "./connection.ts";
import { statusOf } from "./sip-text.ts";

/** Where the calls of a command go. */
export type Subject =
  | { readonly kind: "gateway"; readonly port: number }
  /** Straight to the trunk, without a gateway. */
  | { readonly kind: "direct"; readonly port: number };

/** What the parent sends. */
export type LoadCommand =
  /** Connects and signs in users until there are `users`, or closes those above. */
  | { readonly do: "users"; readonly subject: Subject; readonly users: number }
  | {
      readonly do: "calls";
      readonly subject: Subject;
      readonly perSecond: number;
      /** Calls to place. */
      readonly calls: number;
      /**
       * Milliseconds from answer to BYE; undefined leaves the calls up, on hold: without sound a
       * gateway would negotiate them anew, in vain, and end them.
       */
      readonly holdMs: number | undefined;
    }
  /** Asks over UDP, as the trunk does to see who is alive: each leaves a transaction for 32 s. */
  | {
      readonly do: "options";
      readonly port: number;
      readonly perSecond: number;
      readonly requests: number;
    }
  /** Hangs up the calls that were left up. */
  | { readonly do: "hang up"; readonly subject: Subject; readonly perSecond: number };

/** What it answers: one reply a command. */
export interface LoadReply {
  readonly counts: CallCounts;
  readonly ringing: readonly number[];
  readonly answer: readonly number[];
  readonly faults: readonly string[];
  readonly error?: string;
}

const TICK_MS = 5;
const PATIENCE_MS = 10_000;
const SIGN_INS_AT_ONCE = 20;

const callers: Caller[] = [];
let held: Call[] = [];

async function users(subject: Subject, count: number): Promise<void> {
  for (const caller of callers.splice(count)) caller.close();
  const missing = Array.from({ length: count - callers.length }, (_, at) => callers.length + at);
  const work = async (): Promise<void> => {
    for (let index = missing.shift(); index !== undefined; index = missing.shift()) {
      callers.push(await signIn(subject, index));
    }
  };
  await Promise.all(Array.from({ length: SIGN_INS_AT_ONCE }, work));
}

async function signIn(subject: Subject, index: number): Promise<Caller> {
  const caller = new Caller(index);
  if (subject.kind === "direct") {
    caller.attach(await openUdp(subject.port, (text) => caller.onMessage(text)));
    return caller;
  }
  const connection = await openWebSocket({
    port: subject.port,
    localAddress: `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${1 + ((index & 255) % 254)}`,
    onMessage: (text) => caller.onMessage(text),
    onClosed: () => undefined,
  });
  caller.attach(connection);
  await caller.register();
  return caller;
}

function calls(command: Extract<LoadCommand, { do: "calls" }>): Promise<LoadReply> {
  const counts: CallCounts = { started: 0, answered: 0, completed: 0, failed: 0, refused: 0 };
  /** Answered calls and when they end, in order: all are held equally long. */
  const ends: { readonly call: Call; readonly atMs: number }[] = [];
  let nextEnd = 0;
  const log: CallLog = {
    counts,
    ringing: [],
    answer: [],
    faults: [],
    onAnswered: (call) => {
      if (command.holdMs === undefined) held.push(call);
      else ends.push({ call, atMs: performance.now() + command.holdMs });
    },
  };
  const startedMs = performance.now();
  const deadlineMs =
    startedMs + (command.calls / command.perSecond) * 1000 + (command.holdMs ?? 0) + PATIENCE_MS;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const due = Math.min(command.calls, ((nowMs - startedMs) / 1000) * command.perSecond);
      while (counts.started < due) {
        callers[counts.started % callers.length]?.call(log, command.holdMs === undefined);
      }
      for (let end = ends[nextEnd]; end !== undefined && end.atMs <= nowMs; end = ends[nextEnd]) {
        end.call.hangUp();
        nextEnd += 1;
      }
      const over =
        (command.holdMs === undefined ? counts.answered : counts.completed) + counts.failed;
      if (over < command.calls && nowMs < deadlineMs) return;
      clearInterval(timer);
      const { ringing, answer, faults } = log;
      resolve({ counts, ringing, answer, faults });
    }, TICK_MS);
  });
}

function hangUp(perSecond: number): Promise<void> {
  const startedMs = performance.now();
  let done = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(held.length, ((performance.now() - startedMs) / 1000) * perSecond);
      for (; done < due; done += 1) held[done]?.hangUp();
      if (done < held.length) return;
      clearInterval(timer);
      held = [];
      resolve();
    }, TICK_MS);
  });
}

async function options(command: Extract<LoadCommand, { do: "options" }>): Promise<LoadReply> {
  const { port, perSecond, requests } = command;
  const counts: CallCounts = { started: 0, answered: 0, completed: 0, failed: 0, refused: 0 };
  const connection = await openUdp(port, (text) => {
    if (statusOf(text) === 200) counts.completed += 1;
    else counts.failed += 1;
  });
  const startedMs = performance.now();
  const deadlineMs = startedMs + (requests / perSecond) * 1000 + PATIENCE_MS;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const due = Math.min(requests, ((nowMs - startedMs) / 1000) * perSecond);
      for (; counts.started < due; counts.started += 1) connection.send(optionsRequest(port));
      if (counts.completed + counts.failed < requests && nowMs < deadlineMs) return;
      clearInterval(timer);
      connection.close();
      resolve({ ...NOTHING, counts });
    }, TICK_MS);
  });
}

let optionsSent = 0;

function optionsRequest(port: number): string {
  optionsSent += 1;
  const id = `options-${process.pid}-${optionsSent}`;
  return (
    `OPTIONS sip:127.0.0.1:${port} SIP/2.0\r\n` +
    `Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK${id};rport\r\n` +
    `Max-Forwards: 70\r\nTo: <sip:127.0.0.1:${port}>\r\n` +
    `From: <sip:trunk@127.0.0.1>;tag=${id}\r\nCall-ID: ${id}\r\nCSeq: 1 OPTIONS\r\n` +
    "Content-Length: 0\r\n\r\n"
  );
}

const NOTHING: LoadReply = {
  counts: { started: 0, answered: 0, completed: 0, failed: 0, refused: 0 },
  ringing: [],
  answer: [],
  faults: [],
};

async function obey(command: LoadCommand): Promise<LoadReply> {
  switch (command.do) {
    case "users":
      await users(command.subject, command.users);
      return NOTHING;
    case "calls":
      return await calls(command);
    case "options":
      return await options(command);
    case "hang up":
      await hangUp(command.perSecond);
      return NOTHING;
  }
}

process.on("message", (command: LoadCommand) => {
  obey(command).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ ...NOTHING, error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
