/**
 * A process that floods a SIP listener with REGISTERs, each from another address of 127.0.0.0/8 and
 * another port. Arguments: host, port, requests a second, seconds. Prints how many it has sent.
 */
import { createSocket } from "node:dgram";
import { setPriority } from "node:os";

// Whoever started it may have put itself before others.
try {
  setPriority(0);
} catch {
  // It has not.
}

const [host = "", port = "", perSecond = "", seconds = ""] = process.argv.slice(2);
const total = Number(perSecond) * Number(seconds);
const startedMs = performance.now();
let sent = 0;
let seed = process.pid;

function random(below: number): number {
  // Nothing depends on how random it is; a run of it shall repeat.
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return (seed >> 8) % below;
}

function sendOne(): void {
  sent += 1;
  const source = `127.${1 + random(250)}.${random(250)}.${1 + random(250)}`;
  const name = `flood${sent}`;
  const socket = createSocket("udp4");
  socket.on("error", () => {
    socket.close();
  });
  socket.bind(0, source, () => {
    const text =
      "REGISTER sip:localhost SIP/2.0\r\n" +
      `Via: SIP/2.0/UDP ${source}:5060;branch=z9hG4bK${name};rport\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:${name}@localhost>;tag=${name}\r\n` +
      `To: <sip:${name}@localhost>\r\nCall-ID: ${name}@${source}\r\nCSeq: 1 REGISTER\r\n` +
      `Contact: <sip:${name}@${source}:5060>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n`;
    socket.send(text, Number(port), host, () => {
      socket.close();
    });
  });
}

const timer = setInterval(() => {
  const due = Math.min(total, ((performance.now() - startedMs) / 1000) * Number(perSecond));
  while (sent < due) sendOne();
  if (sent < total) return;
  clearInterval(timer);
  process.stdout.write(`sent ${sent} in ${Math.round(performance.now() - startedMs)} ms\n`);
}, 5);
