/**
 * Node alone: as many WebSocket frames and datagrams a call as the gateway, of the same kind and
 * size, toward the same trunk and the same rtpengine, and nothing else. No message is parsed, no
 * state machine runs, nothing is checked or timed: what is cheaper than this is no longer Node.
 *
 * Run as `node floor.ts WEB_PORT SIP_PORT TRUNK_PORT NG_PORT`.
 */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { BROWSER_OFFER } from "./browser-offer.ts";
import { headerOf, statusOf } from "./load/sip-text.ts";

const [webPort = 0, sipPort = 0, trunkPort = 0, ngPort = 0] = process.argv.slice(2).map(Number);

/** One call, by its own id: 16 characters, so that every prepared text keeps its length. */
interface FloorCall {
  readonly id: string;
  readonly callerId: string;
  readonly socket: WebSocket;
  /** The caller's lines that its responses repeat. */
  readonly head: string;
  offer: string;
  trunkTo: string;
}

const calls = new Map<string, FloorCall>();
const idsByCaller = new Map<string, string>();

const trunk = createSocket({ type: "udp4", recvBufferSize: 2 * 1024 * 1024 });
trunk.bind(sipPort, "127.0.0.1", () => trunk.connect(trunkPort, "127.0.0.1"));
const rtpengine = createSocket({ type: "udp4", recvBufferSize: 2 * 1024 * 1024 });
rtpengine.connect(ngPort, "127.0.0.1");

const server = createServer();
const webSockets = new WebSocketServer({ server, path: "/ws", perMessageDeflate: false });
webSockets.on("connection", (socket) => {
  socket.on("message", (data) => {
    onCaller(socket, Buffer.isBuffer(data) ? data.toString("latin1") : "");
  });
});
server.listen(webPort, "127.0.0.1");
process.once("SIGTERM", () => process.exit());

function onCaller(socket: WebSocket, text: string): void {
  const callerId = headerOf(text, "Call-ID");
  if (text.startsWith("REGISTER ")) {
    socket.send(Buffer.from(`SIP/2.0 200 OK\r\n${headOf(text)}Content-Length: 0\r\n\r\n`), ignore);
  } else if (text.startsWith("INVITE ")) {
    const id = randomBytes(8).toString("hex");
    const call = { id, callerId, socket, head: headOf(text), offer: "", trunkTo: "" };
    calls.set(id, call);
    idsByCaller.set(callerId, id);
    command(call, "offer", BROWSER_OFFER);
  } else if (text.startsWith("BYE ")) {
    const call = calls.get(idsByCaller.get(callerId) ?? "");
    socket.send(Buffer.from(`SIP/2.0 200 OK\r\n${headOf(text)}Content-Length: 0\r\n\r\n`), ignore);
    if (call === undefined) return;
    toTrunk(call, "BYE", 2, call.trunkTo, "");
    command(call, "delete", undefined);
    idsByCaller.delete(callerId);
  }
}

function onTrunk(text: string): void {
  const call = calls.get(headerOf(text, "Call-ID"));
  if (call === undefined) return;
  const status = statusOf(text);
  const isBye = headerOf(text, "CSeq").endsWith("BYE");
  if (status === 180) {
    toCaller(call, "180 Ringing", "");
  } else if (status === 200 && !isBye) {
    call.trunkTo = headerOf(text, "To");
    toTrunk(call, "ACK", 1, call.trunkTo, "");
    command(call, "answer", text.slice(text.indexOf("\r\n\r\n") + 4));
  }
}

function onRtpengine(text: string): void {
  const call = calls.get(text.slice(1, 17));
  if (call === undefined) return;
  // The cookie's first character says which command this answers.
  const kind = text.charAt(0);
  const start = text.indexOf("v=0");
  const sdp = start < 0 ? "" : text.slice(start, text.indexOf("\r\n6:result", start));
  if (kind === "o") toTrunk(call, "INVITE", 1, "<sip:+493012345678@127.0.0.1>", sdp);
  else if (kind === "a") toCaller(call, "200 OK", sdp);
  else calls.delete(call.id);
}

function headOf(text: string): string {
  const to = headerOf(text, "To");
  return (
    `Via: ${headerOf(text, "Via")};received=127.1.0.1\r\nFrom: ${headerOf(text, "From")}\r\n` +
    `To: ${to}${to.includes(";tag=") ? "" : ";tag=floor0floor0floor0"}\r\n` +
    `Call-ID: ${headerOf(text, "Call-ID")}\r\nCSeq: ${headerOf(text, "CSeq")}\r\n` +
    "Server: floor\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY\r\n"
  );
}

function toCaller(call: FloorCall, status: string, sdp: string): void {
  const type = sdp === "" ? "" : "Content-Type: application/sdp\r\n";
  call.socket.send(
    Buffer.from(
      `SIP/2.0 ${status}\r\n${call.head}Contact: <sip:${call.id}@127.0.0.1:${webPort};transport=ws>\r\n` +
        `Supported: outbound, path, gruu\r\n${type}Content-Length: ${sdp.length}\r\n\r\n${sdp}`,
    ),
    { binary: false },
    ignore,
  );
}

function toTrunk(call: FloorCall, method: string, cseq: number, to: string, sdp: string): void {
  const type = sdp === "" ? "" : "Content-Type: application/sdp\r\n";
  trunk.send(
    Buffer.from(
      `${method} sip:+493012345678@127.0.0.1:${trunkPort} SIP/2.0\r\n` +
        `Via: SIP/2.0/UDP 127.0.0.1:${sipPort};branch=z9hG4bK${method}${call.id};rport\r\n` +
        `Max-Forwards: 69\r\nTo: ${to}\r\nFrom: <sip:floor@bench.example.com>;tag=${call.id}\r\n` +
        `Call-ID: ${call.id}\r\nCSeq: ${cseq} ${method}\r\n` +
        `Contact: <sip:${call.id}@127.0.0.1:${sipPort}>\r\n` +
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY\r\n" +
        `Supported: outbound, timer\r\nUser-Agent: floor\r\n${type}` +
        `Content-Length: ${sdp.length}\r\n\r\n${sdp}`,
    ),
    ignore,
  );
}

function command(call: FloorCall, name: "offer" | "answer" | "delete", sdp?: string): void {
  const flags =
    name === "offer"
      ? "3:ICE6:remove18:transport-protocol7:RTP/AVP8:rtcp-muxl5:demuxe"
      : "3:ICE5:force18:transport-protocol17:UDP/TLS/RTP/SAVPF";
  const tag = name === "answer" ? "6:to-tag6:callee" : "";
  const body = sdp === undefined ? "" : `3:sdp${sdp.length}:${sdp}`;
  rtpengine.send(
    Buffer.from(
      `${name.charAt(0)}${call.id} d7:call-id16:${call.id}7:command${name.length}:${name}` +
        `8:from-tag6:caller${body === "" ? "" : flags}${body}${tag}e`,
    ),
    ignore,
  );
}

function ignore(): void {
  // What gets lost shows in the calls that do not complete.
}

trunk.on("message", (octets) => {
  onTrunk(octets.toString("latin1"));
});
rtpengine.on("message", (octets) => {
  onRtpengine(octets.toString("latin1"));
});
