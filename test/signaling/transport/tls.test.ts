import { execFile } from "node:child_process";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SocketAddress } from "../../../src/core/address.ts";
import type { Logger, LogFields } from "../../../src/core/logger.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { TlsPeer } from "../../../src/signaling/transport/tls-contexts.ts";
import { TransportLayer } from "../../../src/signaling/transport/transport-layer.ts";
import type { TransportLayerOptions } from "../../../src/signaling/transport/transport-layer.ts";
import { Authority } from "../../harness/certificates.ts";
import type { Certificate } from "../../harness/certificates.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { StreamListener, connectPeer } from "../../harness/stream-peer.ts";
import type { StreamPeer } from "../../harness/stream-peer.ts";
import { RecordingHandler, textOf } from "./fixtures.ts";

const OPTIONS = Buffer.from(
  textOf("OPTIONS", "SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK1;alias", ["l: 0"]),
);

let authority: Authority;
let ours: Certificate;
let clock: ManualClock;
let handler: RecordingHandler;
let layer: TransportLayer;
let warnings: { readonly text: string; readonly fields: LogFields | undefined }[];
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  authority = await Authority.make();
  ours = await authority.issue("gw.test", "DNS:gw.test", "URI:sip:gw.test");
});

beforeEach(() => {
  clock = new ManualClock();
  handler = new RecordingHandler();
  warnings = [];
});

afterEach(async () => {
  await layer.stop();
  for (const close of closing.splice(0)) await close();
  expect(clock.pendingTimers).toBe(0);
});

async function listen(
  tls: Partial<NonNullable<TransportLayerOptions["tls"]>> = {},
  host = "127.0.0.1",
): Promise<SocketAddress> {
  const logger: Logger = {
    ...silentLogger,
    warn: (text, fields) => warnings.push({ text, fields }),
  };
  layer = new TransportLayer({
    clock,
    logger,
    handler,
    tls: {
      listen: [{ listen: { host, port: 0 } }],
      files: { ...ours, caPath: authority.caPath },
      ...tls,
    },
  });
  await layer.start();
  const [listener] = layer.listeners;
  if (listener === undefined) throw new Error("no listener");
  return listener.local;
}

async function dial(to: SocketAddress, shown?: Certificate): Promise<StreamPeer> {
  const tls = shown === undefined ? {} : { cert: shown.cert, key: shown.key };
  const dialled = await connectPeer(to, { tls });
  closing.push(() => dialled.socket.destroy());
  return dialled;
}

/** A far end with a certificate. */
async function far(certificate: Certificate, host = "127.0.0.1"): Promise<StreamListener> {
  const { cert, key } = certificate;
  const listener = await StreamListener.open({
    host,
    tls: { cert, key, requestCert: true, rejectUnauthorized: false },
  });
  closing.push(() => listener.close());
  return listener;
}

function toward(name: string, more: Partial<TlsPeer> = {}): TlsPeer {
  return { name, verify: true, ...more };
}

function nameOf({ socket }: StreamPeer): unknown {
  return (socket as TLSSocket).getPeerCertificate().subject.CN;
}

describe("a TLS listener", () => {
  it.each(["127.0.0.1", "::1"])("takes messages on %s", async (host) => {
    const address = await listen({}, host);
    const { socket } = await dial(address);
    socket.write(OPTIONS);
    const { flow } = await handler.until(({ messages }) => messages[0]);
    expect(flow).toMatchObject({ transport: "TLS", isReliable: true });
    expect(flow.peerNames).toBeUndefined();
  });

  it("needs a certificate", async () => {
    await expect(listen({ files: {} })).rejects.toMatchObject({
      code: "ERR_OFFHOOK_TRANSPORT_TLS",
    });
  });

  it("names the file that cannot be used", async () => {
    const files = { ...ours, keyPath: "/nonexistent/key.pem" };
    await expect(listen({ files })).rejects.toThrow("/nonexistent/key.pem");
  });

  it("refuses TLS 1.1", async () => {
    const { port } = await listen();
    const old = new Promise<string>((resolve) => {
      const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-tls1_1"];
      const child = execFile("openssl", [...args, "-cipher", "ALL@SECLEVEL=0"], (_e, out, err) => {
        resolve(out + err);
      });
      child.stdin?.end();
    });
    expect(await old).toMatch(/alert protocol version|no protocols available/);
    const { socket } = await dial({ host: "127.0.0.1", port });
    expect((socket as TLSSocket).getProtocol()).toBe("TLSv1.3");
  });

  it("is not held up by half handshakes and plain text", async () => {
    const address = await listen();
    const half = Array.from({ length: 20 }, () => connectTcp(address.port, address.host));
    for (const socket of half) {
      socket.on("error", () => {});
      socket.write(Buffer.from("1603010200010001fc0303", "hex"));
      closing.push(() => socket.destroy());
    }
    const plain = connectTcp(address.port, address.host);
    plain.on("error", () => {});
    plain.write(OPTIONS);
    await once(plain, "close");
    const { socket } = await dial(address);
    socket.write(OPTIONS);
    await handler.until(({ messages }) => messages[0]);
    expect(handler.opened).toHaveLength(1);
  });

  it("counts handshakes by their address", async () => {
    const address = await listen({ maxConnectionsPerAddress: 1 });
    const first = connectTcp(address.port, address.host);
    await once(first, "connect");
    closing.push(() => first.destroy());
    await expect(dial(address)).rejects.toThrow();
  });
});

describe("certificates of callers", () => {
  it("say who they are, when they come from our authority", async () => {
    const shown = await authority.issue("x", "DNS:pbx.test", "URI:sip:carrier.test");
    const { socket } = await dial(await listen(), shown);
    socket.write(OPTIONS);
    const { flow } = await handler.until(({ messages }) => messages[0]);
    expect(flow.peerNames).toEqual(["pbx.test", "carrier.test"]);
  });

  it("are refused when they do not", async () => {
    const stranger = await Authority.make();
    const shown = await stranger.issue("pbx.test", "DNS:pbx.test");
    const { socket } = await dial(await listen(), shown);
    await once(socket, "close");
    expect(handler.opened).toEqual([]);
    expect(warnings.map(({ text }) => text)).toEqual(["refused a TLS connection"]);
  });

  it("are missed where they are required", async () => {
    const address = await listen({ clientCertificates: "required" });
    const { socket } = await dial(address);
    await once(socket, "close");
    expect(warnings[0]?.fields).toMatchObject({ reason: "no certificate" });
    await dial(address, await authority.issue("pbx.test"));
    await handler.until(({ opened }) => opened[0]);
  });

  it("let their connection be used for the names that they prove alone (RFC 5923 §8.2)", async () => {
    const shown = await authority.issue("pbx.test", "DNS:pbx.test");
    const { socket } = await dial(await listen(), shown);
    socket.write(OPTIONS);
    const { flow } = await handler.until(({ messages }) => messages[0]);
    const remote = { host: "127.0.0.1", port: 5061 };
    expect(layer.flowTo("TLS", remote, { tls: toward("PBX.test") })).toBe(flow);
    expect(layer.flowTo("TLS", remote, { tls: toward("other.test") })).not.toBe(flow);
    const strict = toward("pbx.test", { files: { caPath: authority.caPath } });
    expect(layer.flowTo("TLS", remote, { tls: strict })).not.toBe(flow);
  });
});

describe("TLS connections of ours", () => {
  it("check the name, show our certificate and name the server", async () => {
    const pbx = await far(await authority.issue("x", "DNS:pbx.test"));
    await listen();
    const flow = layer.flowTo("TLS", pbx.address, { tls: toward("pbx.test") });
    flow?.send(OPTIONS);
    const accepted = await pbx.accepted.next();
    await accepted.peer.expectRequest("OPTIONS");
    expect(pbx.serverNames).toEqual(["pbx.test"]);
    expect(nameOf(accepted)).toBe("gw.test");
    expect(flow?.peerNames).toEqual(["pbx.test"]);
  });

  it.each([
    ["of another name", ["DNS:other.test"]],
    ["with a wildcard", ["DNS:*.test"]],
    ["with the name in its CN beside other names", ["DNS:other.test"]],
  ])("send nothing to a certificate %s", async (_what, names) => {
    const pbx = await far(await authority.issue("pbx.test", ...names));
    await listen();
    const flow = layer.flowTo("TLS", pbx.address, { tls: toward("pbx.test") });
    flow?.send(OPTIONS);
    const { reason } = await handler.until(({ closed }) => closed[0]);
    expect(reason).toContain("not for pbx.test");
    expect(flow?.hasConnected).toBe(false);
    expect(warnings).toMatchObject([
      { text: "a connection could not be opened", fields: { reason } },
    ]);
    for (const { peer } of pbx.accepted.unread) expect(peer.unread).toEqual([]);
  });

  it("send nothing to a certificate of a stranger's authority", async () => {
    const stranger = await Authority.make();
    const pbx = await far(await stranger.issue("pbx.test", "DNS:pbx.test"));
    await listen({ peerFiles: [{ caPath: stranger.caPath }] });
    layer.flowTo("TLS", pbx.address, { tls: toward("pbx.test") })?.send(OPTIONS);
    expect((await handler.until(({ closed }) => closed[0])).reason).toMatch(/certificate/);
    const trusted = toward("pbx.test", { files: { caPath: stranger.caPath } });
    layer.flowTo("TLS", pbx.address, { tls: trusted })?.send(OPTIONS);
    const accepted = await pbx.accepted.next();
    const next = (await accepted.peer.expectRequest("OPTIONS").catch(() => undefined))
      ? accepted
      : await pbx.accepted.next();
    // That trunk names files of its own, and so shows no certificate but those.
    expect((next.socket as TLSSocket).getPeerCertificate()).toEqual({});
  });

  it("take any certificate where the trunk says so", async () => {
    const stranger = await Authority.make();
    const pbx = await far(await stranger.issue("other.test", "DNS:other.test"));
    await listen();
    const flow = layer.flowTo("TLS", pbx.address, { tls: toward("pbx.test", { verify: false }) });
    flow?.send(OPTIONS);
    await (await pbx.accepted.next()).peer.expectRequest("OPTIONS");
    expect(flow?.peerNames).toBeUndefined();
  });

  it("reach an address by a certificate for it, without a server name", async () => {
    const pbx = await far(await authority.issue("x", "IP:::1"), "::1");
    await listen({}, "::1");
    layer.flowTo("TLS", pbx.address, { tls: toward("::1") })?.send(OPTIONS);
    await (await pbx.accepted.next()).peer.expectRequest("OPTIONS");
    expect(pbx.serverNames).toEqual([false]);
  });

  it("are never shared by two names at one address (CVE-2020-15260)", async () => {
    const both = await authority.issue("x", "DNS:one.test", "DNS:two.test");
    const pbx = await far(both);
    await listen({ peerFiles: [{ ...ours }] });
    const one = layer.flowTo("TLS", pbx.address, { tls: toward("one.test") });
    const peers = [
      toward("two.test"),
      toward("one.test", { verify: false }),
      toward("one.test", { files: { ...ours } }),
      toward("one.test", { scheme: "sips" }),
    ];
    const others = peers.map((tls) => layer.flowTo("TLS", pbx.address, { tls }));
    expect(new Set([one, ...others]).size).toBe(5);
    expect(layer.flowTo("TLS", pbx.address, { tls: toward("ONE.test") })).toBe(one);
  });

  it("are not opened without a name to check", async () => {
    await listen();
    expect(layer.flowTo("TLS", { host: "127.0.0.1", port: 5061 })).toBeUndefined();
  });
});

describe("renewed certificates", () => {
  it("hold for new handshakes both ways, and old connections live on", async () => {
    const live = await authority.issue("old.test");
    const address = await listen({ files: { ...live, caPath: authority.caPath } });
    const before = await dial(address);
    expect(nameOf(before)).toBe("old.test");
    const renewed = await authority.issue("new.test");
    await copyFile(renewed.certificatePath, live.certificatePath);
    await copyFile(renewed.keyPath, live.keyPath);
    await layer.reloadCertificates();
    expect(nameOf(await dial(address))).toBe("new.test");
    before.socket.write(OPTIONS);
    const { flow } = await handler.until(({ messages }) => messages[0]);
    expect(flow.isOpen).toBe(true);
    const pbx = await far(await authority.issue("x", "DNS:pbx.test"));
    layer.flowTo("TLS", pbx.address, { tls: toward("pbx.test") })?.send(OPTIONS);
    expect(nameOf(await pbx.accepted.next())).toBe("new.test");
  });

  it("change nothing when one is broken", async () => {
    const live = await authority.issue("old.test");
    const address = await listen({ files: { ...live } });
    await copyFile(authority.caPath, live.keyPath);
    await expect(layer.reloadCertificates()).rejects.toMatchObject({
      code: "ERR_OFFHOOK_TRANSPORT_TLS",
    });
    expect(nameOf(await dial(address))).toBe("old.test");
  });
});
