import { createHmac } from "node:crypto";
import { afterAll, afterEach, describe, expect, it } from "vitest";

import { GATEWAY_ADDRESS } from "../harness/browser-network.ts";
import { Coturn } from "../harness/coturn.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import type { PhonePage } from "../harness/chromium.ts";
import { TurnClient } from "../harness/turn-client.ts";
import { openMovingPhone, PHONE_STREAM, timeToReturn, useMovingStage } from "./moving-stage.ts";
import { CLEAN, TONE_1001 } from "./support.ts";

let coturn: Coturn | undefined;
const stage = useMovingStage(async () => {
  coturn = await Coturn.start(GATEWAY_ADDRESS);
  const { port, secret } = coturn;
  const turn = { urls: [`turn:${GATEWAY_ADDRESS}:${port}`], secret };
  return { media: { turn } };
});

afterEach(async () => {
  await stage().network.heal();
  await expectNothingLeft(stage().gateway);
});

afterAll(async () => {
  await coturn?.stop();
});

/** What a phone gets at its sign-in. */
async function issued(): Promise<{ readonly username: string; readonly credential: string }> {
  const { body } = await stage().gateway.api("/api/v1/session", {
    method: "POST",
    token: "",
    body: { user: "1001", password: PASSWORDS["1001"] },
  });
  const [, username = "", credential = ""] =
    /"username":"(\d+:1001)","credential":"([^"]+)"/.exec(JSON.stringify(body)) ?? [];
  return { username, credential };
}

function client(username: string, credential: string): TurnClient {
  return new TurnClient({ host: GATEWAY_ADDRESS, port: coturn?.port ?? 0 }, username, credential);
}

describe("coturn as docker/ ships it", () => {
  it("takes the credentials of a session, relays to the media server, and to nothing else", async () => {
    const { username, credential } = await issued();
    await using turn = client(username, credential);
    expect(await turn.allocate()).toBe(0);
    for (const host of [
      "127.0.0.1",
      "0.0.0.0",
      "10.0.0.1",
      "172.16.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "198.51.100.7",
      "224.0.0.1",
    ]) {
      expect(await turn.permit(host), host).toBe(403);
    }
    // RFC 8656 §9.2: the relayed address has no IPv6, so 443 says it before the rule does.
    for (const host of ["::1", "::ffff:7f00:1", "fd00::1"]) {
      expect([403, 443], host).toContain(await turn.permit(host));
    }
    expect(await turn.permit(GATEWAY_ADDRESS)).toBe(0);
  });

  it("refuses credentials that have expired, and those of another secret", async () => {
    const sign = (username: string, secret: string): string =>
      createHmac("sha1", secret).update(username).digest("base64");
    const past = `${Math.floor(Date.now() / 1000) - 60}:1001`;
    await using expired = client(past, sign(past, coturn?.secret ?? ""));
    expect(await expired.allocate()).toBe(401);
    const future = `${Math.floor(Date.now() / 1000) + 600}:1001`;
    await using forged = client(future, sign(future, "another secret"));
    expect(await forged.allocate()).toBe(401);
  });
});

describe("a browser whose network lets no UDP through to the media ports", () => {
  const media = (): string[] => {
    const { min, max } = stage().gateway.ports.media;
    return ["-i", "wifi-gw", "-p", "udp", "--dport", `${min}:${max}`];
  };

  /** Type of the local candidate in use, and the policy of the connection. */
  async function path(phone: PhonePage): Promise<string> {
    return await phone.page.evaluate<string>(`(async () => {
      const connection = window.offhookPhone.peerConnection();
      const stats = await connection.getStats();
      const transport = [...stats.values()].find(({ type }) => type === "transport");
      const pair = stats.get(transport.selectedCandidatePairId);
      const { candidateType } = stats.get(pair.localCandidateId);
      return candidateType + " " + connection.getConfiguration().iceTransportPolicy;
    })()`);
  }

  it("talks over the TURN server", async () => {
    await stage().network.lose("gateway", media(), 1);
    const phone = await openMovingPhone(stage());
    await phone.call("*43");
    await phone.waitForCall("connected");
    expect((await phone.remoteTone(TONE_1001, 2000)).share).toBeGreaterThan(CLEAN);
    expect(await path(phone)).toBe("relay all");
    await phone.end();
    await phone.page.close();
  });

  it("tries over the TURN server alone when nothing has connected", async () => {
    const { network } = stage();
    await network.lose("gateway", ["-i", "wifi-gw", "-p", "udp"], 1);
    const phone = await openMovingPhone(stage());
    await phone.call("*43");
    await phone.waitForCall("connected");
    await timeToReturn(
      phone.page,
      PHONE_STREAM,
      TONE_1001,
      async () => {
        await phone.page.waitForFunction(
          "window.offhookPhone.peerConnection().getConfiguration().iceTransportPolicy === 'relay'",
        );
        // The first connection has heard nothing: it would have found the relay by itself.
        await network.heal();
        await network.lose("gateway", media(), 1);
      },
      20_000,
    );
    expect(await path(phone)).toBe("relay relay");
    await phone.end();
    await phone.page.close();
  });
});
