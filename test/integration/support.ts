import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

import type { SipMessage } from "../../src/signaling/message/message.ts";
import { freePort } from "../harness/ports.ts";
import {
  type Gateway,
  type GatewayOptions,
  type PASSWORDS,
  startGateway,
  type YamlValue,
} from "../harness/gateway.ts";
import { type CallRecordJson, expectNothingLeft, records } from "../harness/gateway-state.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import type { IncomingCall, OutgoingCall } from "../harness/ws-call.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall } from "./desk-call.ts";

/** The desk's address: neither the gateway's nor a browser's. */
export const DESK_HOST = "127.0.0.2";

type Section = Readonly<Record<string, YamlValue>>;

export interface OfficeOptions {
  /** Routes that come before the usual ones. */
  readonly routes?: readonly Section[];
  /** More keys of the dialplan. */
  readonly plan?: Section;
  /** More keys of the two trunks. */
  readonly office?: Section;
  readonly desk?: Section;
  /** Trunks beside the two. */
  readonly trunks?: Section;
  /** Other sections of the file. */
  readonly sections?: Section;
  readonly gateway?: Omit<GatewayOptions, "config" | "yaml">;
}

/** A gateway between web users and two PBXs: one is played by sipp, one by the test itself. */
export interface Office {
  readonly gateway: Gateway;
  /** Where the trunk `office` is: numbers that begin with 6. sipp listens here when a test wants. */
  readonly officePort: number;
  /** The trunk `desk`, whose every message the test writes: numbers that begin with 7. */
  readonly desk: SipPeer;
}

/** Starts the gateway and the desk. */
export async function startOffice(options: OfficeOptions = {}): Promise<Office> {
  const desk = await SipPeer.udp(undefined, DESK_HOST);
  const officePort = await freePort();
  const gateway = await startGateway({
    ...options.gateway,
    config: {
      trunks: {
        office: { peer: `sip:127.0.0.1:${officePort}`, ...options.office },
        desk: { peer: `sip:${DESK_HOST}:${desk.local.port}`, ...options.desk },
        ...options.trunks,
      },
      dialplan: {
        ...options.plan,
        routes: [
          ...(options.routes ?? []),
          { name: "echo", to: "*43", do: "echo" },
          { name: "colleagues", to: "@users", do: { ring: "@to", timeout: "20s" } },
          { name: "office", to: "_6XX", do: { dial: "office" } },
          { name: "desk", to: "_7XX", do: { dial: "desk" } },
        ],
      },
      ...options.sections,
    },
  });
  desk.sendTo(gateway.sip);
  return { gateway, officePort, desk };
}

/**
 * Starts the gateway before the tests of a file and ends it after them. After each test nothing
 * may be left of its calls.
 */
export function useOffice(options: OfficeOptions = {}): () => Office {
  let office: Office | undefined;
  beforeAll(async () => {
    office = await startOffice(options);
  });
  afterEach(async () => {
    if (office === undefined) return;
    try {
      await expectNothingLeft(office.gateway);
    } catch (error) {
      // One failed test must not take the next ones with it.
      await hangUpAll(office.gateway);
      throw error;
    }
  });
  afterAll(async () => {
    await office?.desk.close();
    await office?.gateway.stop();
  });
  return () => {
    if (office === undefined) throw new Error("the office is not there yet");
    return office;
  };
}

/**
 * Looks at the call records of each test.
 *
 * @returns a function that waits until the test's one call is over everywhere, and gives the one
 *   record that it has left
 */
export function useRecords(office: () => Office): () => Promise<CallRecordJson> {
  let seen = 0;
  beforeEach(async () => {
    seen = (await records(office().gateway)).length;
  });
  return async () => {
    await expectNothingLeft(office().gateway);
    const all = await records(office().gateway);
    expect(all.length - seen, "records of the call").toBe(1);
    return all[0] ?? {};
  };
}

/** A user calls the desk, which has the INVITE. */
export async function callDesk(
  { desk }: Office,
  caller: WsCaller,
  number = "700",
): Promise<[OutgoingCall, DeskCall]> {
  const call = caller.invite(number);
  return [call, await DeskCall.incoming(desk, number)];
}

/** As `callDesk`, answered. */
export async function talkToDesk(
  office: Office,
  caller: WsCaller,
): Promise<[OutgoingCall, DeskCall]> {
  const [call, leg] = await callDesk(office, caller);
  await leg.answer();
  await call.answered();
  return [call, leg];
}

/** The desk calls a user, whose browser has the INVITE. */
export async function callUser(
  { desk, gateway }: Office,
  callee: WsCaller,
): Promise<[DeskCall, IncomingCall]> {
  const call = DeskCall.dial(desk, gateway, callee.user);
  return [call, await callee.incoming()];
}

/** As `callUser`, answered. */
export async function talkToUser(
  office: Office,
  callee: WsCaller,
): Promise<[DeskCall, IncomingCall]> {
  const [call, leg] = await callUser(office, callee);
  await leg.answer();
  await call.answered();
  return [call, leg];
}

/** Ends every live call from the gateway's side. */
async function hangUpAll(gateway: Gateway): Promise<void> {
  for (const id of await liveCalls(gateway)) {
    await gateway.api(`/api/v1/calls/${id}`, { method: "DELETE" });
  }
}

/** Ids of the live calls. */
export async function liveCalls(gateway: Gateway): Promise<readonly string[]> {
  const { body } = await gateway.api("/api/v1/calls");
  const items: unknown =
    typeof body === "object" && body !== null && "items" in body ? body.items : undefined;
  const list: readonly unknown[] = Array.isArray(items) ? items : [];
  return list.flatMap((item) =>
    typeof item === "object" && item !== null && "id" in item ? [String(item.id)] : [],
  );
}

/** All Reason values of a message (RFC 3326), such as `SIP;cause=486, Q.850;cause=17`. */
export function reasonOf(message: SipMessage): string {
  return message.headers.list("Reason").join(", ");
}

/** That a call of this user works: sign-in, echo service, hang-up. */
export async function expectNextCallWorks(
  gateway: Gateway,
  user: keyof typeof PASSWORDS = "1001",
): Promise<void> {
  await using caller = await WsCaller.signIn(gateway, user);
  const call = await caller.call("*43");
  await call.bye();
}

/** No fault of the gateway's own: it runs, and has logged no error and no stack. */
export function expectNoFault(gateway: Gateway): void {
  expect(gateway.child.isRunning).toBe(true);
  const errors = gateway.logs().filter((line) => line.fields.get("level") === "error");
  expect(errors.map((line) => line.text)).toEqual([]);
  expect(gateway.child.lines.filter((line) => /^\s+at .*:\d+:\d+/.test(line))).toEqual([]);
}
