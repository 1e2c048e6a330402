import { afterEach, describe, expect, it } from "vitest";

import { formatSocketAddress } from "../../src/core/address.ts";
import { useAsterisk } from "../harness/asterisk.ts";
import type { Gateway } from "../harness/gateway.ts";
import { records } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { Sipp } from "../harness/sipp.ts";
import { waitFor, within } from "../harness/wait.ts";
import {
  DESK_HOST,
  expectNextCallWorks,
  expectNoFault,
  liveCalls,
  type Office,
  startOffice,
} from "./support.ts";
import { telephoneSdp } from "./desk-call.ts";

const ACCOUNT = { username: "gw", password: "trunk-secret", expires: "1m" };

const open: Office[] = [];

afterEach(async () => {
  for (const { gateway, desk } of open.splice(0)) {
    await desk.close();
    await gateway.stop("SIGKILL");
  }
});

interface TrunkJson {
  readonly id?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly registration?: Readonly<Record<string, unknown>>;
}

async function trunk(gateway: Gateway, id: string): Promise<TrunkJson> {
  const { body } = await gateway.api("/api/v1/trunks");
  const { items = [] } = body as { readonly items?: readonly TrunkJson[] };
  return items.find((each) => each.id === id) ?? {};
}

async function untilRegistration(
  gateway: Gateway,
  id: string,
  state: string,
): Promise<Readonly<Record<string, unknown>>> {
  return await waitFor(
    async () => {
      const { registration } = await trunk(gateway, id);
      return registration?.state === state ? registration : undefined;
    },
    { what: `${id} to be ${state}`, timeoutMs: 10_000, detail: () => gateway.child.tail() },
  );
}

describe("a trunk with register", () => {
  it("registers at sipp with a right digest, refreshes, and is gone after SIGTERM", async () => {
    const port = await freePort();
    await using sipp = await Sipp.start({ scenario: "uas-registrar", port });
    const office = await startOffice({
      office: { peer: `sip:127.0.0.1:${port}`, register: ACCOUNT },
    });
    open.push(office);
    const { gateway } = office;
    const registration = await untilRegistration(gateway, "office", "registered");
    expect(Object.keys(registration).toSorted()).toEqual(["expiresAt", "since", "state"]);
    await gateway.waitForLog("a trunk is registered");
    const { body: page } = await gateway.api("/metrics");
    expect(page).toContain('offhook_trunk_registered{trunk="office"} 1');
    expect(page).not.toContain('offhook_trunk_registered{trunk="desk"}');
    // Granted for 2 s: the refresh is the third REGISTER.
    await sipp.waitForMessage("sent", "200", 1);
    expect((await trunk(gateway, "office")).registration?.["state"]).toBe("registered");
    await expectNextCallWorks(gateway);
    gateway.child.signal("SIGTERM");
    const status = await within(gateway.child.exited, {
      what: "the gateway to exit",
      timeoutMs: 5000,
      detail: () => gateway.child.tail(),
    });
    expect(status).toEqual({ code: 0, signal: null });
    expect(await sipp.finished()).toMatchObject({ code: 0, successfulCalls: 1, failedCalls: 0 });
    expect(await sipp.received()).toEqual(["REGISTER", "REGISTER", "REGISTER", "REGISTER"]);
    expectNoSecret(gateway);
  });

  it("takes the peer's call to its Contact for the number in To", async () => {
    const office = await startOffice({ desk: { register: ACCOUNT } });
    open.push(office);
    const { gateway, desk } = office;
    const request = await desk.expectRequest("REGISTER");
    const contact = request.headers.get("Contact") ?? "";
    desk.respond(request, 200, { toTag: "r", headers: [["Contact", `${contact};expires=60`]] });
    await untilRegistration(gateway, "desk", "registered");
    desk.request("INVITE", {
      uri: request.contact?.uri ?? "",
      from: `<sip:+4930555@${DESK_HOST}>;tag=f`,
      to: `<sip:*43@${DESK_HOST}>`,
      body: telephoneSdp(DESK_HOST),
    });
    const answer = await desk.expectResponse(200, "INVITE");
    expect(answer.to.sipUri.user).toBe("*43");
    expectNoFault(gateway);
  });

  it("is refused: the API, the log and the metric say so, and calls go on", async () => {
    const office = await startOffice({ desk: { register: ACCOUNT } });
    open.push(office);
    const { gateway, desk } = office;
    desk.respond(await desk.expectRequest("REGISTER"), 403, { toTag: "r", headers: [] });
    expect(await untilRegistration(gateway, "desk", "refused")).toMatchObject({
      reason: "response",
      status: 403,
    });
    const line = await gateway.waitForLog("a trunk is not registered");
    expect(line.fields.get("trunkId")).toBe("desk");
    const { body: page } = await gateway.api("/metrics");
    expect(page).toContain('offhook_trunk_registered{trunk="desk"} 0');
    await expectNextCallWorks(gateway);
    expectNoSecret(gateway);
  });
});

describe("Asterisk 22 as the registrar", () => {
  const asterisk = useAsterisk();

  it("takes the registration, calls a number at it, and knows of none after the drain", async () => {
    const pbx = asterisk();
    const office = await startOffice({
      office: {
        peer: pbx.peer("plain"),
        register: { username: "account", password: "account-secret", expires: "1m" },
      },
    });
    open.push(office);
    const { gateway } = office;
    await untilRegistration(gateway, "office", "registered");
    const contact = `account@${formatSocketAddress(gateway.sip)};line=`;
    expect(await pbx.command("pjsip show contacts")).toContain(`account/sip:${contact}`);
    await pbx.command("channel originate PJSIP/*43@account extension 600@from-gateway");
    await waitFor(async () => (await liveCalls(gateway)).length === 1 || undefined, {
      what: "Asterisk's call at the echo service",
      detail: () => pbx.child.tail(),
    });
    await pbx.hangUp();
    await waitFor(async () => (await records(gateway))[0], { what: "the record of the call" });
    expect((await records(gateway))[0]).toMatchObject({ to: "*43", result: "success" });
    gateway.child.signal("SIGTERM");
    await within(gateway.child.exited, { what: "the gateway to exit", timeoutMs: 5000 });
    expect(await pbx.command("pjsip show contacts")).not.toContain("account/sip:");
  });

  it("refuses a wrong password, which is not tried again soon", async () => {
    const office = await startOffice({
      office: {
        peer: asterisk().peer("plain"),
        register: { username: "account", password: "wrong" },
      },
    });
    open.push(office);
    const registration = await untilRegistration(office.gateway, "office", "refused");
    expect(registration).toMatchObject({ reason: "wrong credentials", status: 401 });
    const waitMs = Date.parse(String(registration["retryAt"])) - Date.now();
    expect(waitMs).toBeGreaterThan(14 * 60_000);
  });
});

function expectNoSecret(gateway: Gateway): void {
  expect(gateway.child.lines.filter((line) => line.includes(ACCOUNT.password))).toEqual([]);
}
