/** SDP bodies as real peers send them, with the lines that matter to a gateway. */

const lines = (text: string): string => `${text.trim().split("\n").join("\r\n")}\r\n`;

/** The DTLS fingerprint in the browser samples. */
const FINGERPRINT =
  "sha-256 85:34:23:C1:B2:29:4B:E1:CE:C8:EE:01:E2:16:DE:E9:9F:29:66:36:22:B3:4C:EF:A5:7D:F2:CD:0D:A2:08:9B";

export interface ChromiumOptions {
  readonly setup?: "actpass" | "active" | "passive";
  readonly direction?: string;
  readonly ufrag?: string;
  readonly formats?: string;
}

const CHROMIUM_MAPS: readonly (readonly [string, readonly string[]])[] = [
  [
    "111",
    [
      "a=rtpmap:111 opus/48000/2",
      "a=rtcp-fb:111 transport-cc",
      "a=fmtp:111 minptime=10;useinbandfec=1",
    ],
  ],
  ["63", ["a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111"]],
  ["9", ["a=rtpmap:9 G722/8000"]],
  ["0", ["a=rtpmap:0 PCMU/8000"]],
  ["8", ["a=rtpmap:8 PCMA/8000"]],
  ["13", ["a=rtpmap:13 CN/8000"]],
  ["110", ["a=rtpmap:110 telephone-event/48000"]],
  ["126", ["a=rtpmap:126 telephone-event/8000"]],
  ["101", ["a=rtpmap:101 telephone-event/8000"]],
  ["96", ["a=rtpmap:96 opus/48000/2", "a=fmtp:96 minptime=10;useinbandfec=1"]],
  ["97", ["a=rtpmap:97 telephone-event/48000"]],
];

/** Chromium 156, an offer by default; `formats` and `setup` make it an answer. */
export function chromiumSdp(options: ChromiumOptions = {}): string {
  const formats = (options.formats ?? "111 63 9 0 8 13 110 126").split(" ");
  const maps = CHROMIUM_MAPS.filter(([format]) => formats.includes(format)).flatMap(
    ([, entries]) => entries,
  );
  return lines(`
v=0
o=- 1796298770395869764 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS 6d2dd6de-0e8c-4524-99d2-2f5066db5e63
m=audio 56641 UDP/TLS/RTP/SAVPF ${formats.join(" ")}
c=IN IP4 192.0.2.77
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1297688256 1 udp 2122260223 192.0.2.77 56641 typ host generation 0 network-id 1 network-cost 50
a=candidate:1297688257 1 udp 2122260223 f3b0c442.local 56642 typ host generation 0
a=candidate:3019108948 1 tcp 1518280447 192.0.2.77 9 typ host tcptype active generation 0 network-id 1
a=ice-ufrag:${options.ufrag ?? "4vih"}
a=ice-pwd:4afKBKa81TwoEmxF3219QbCE
a=ice-options:trickle
a=fingerprint:${FINGERPRINT}
a=setup:${options.setup ?? "actpass"}
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=${options.direction ?? "sendrecv"}
a=msid:6d2dd6de-0e8c-4524-99d2-2f5066db5e63 8a51a3e7-88e6-4dd5-943f-21fa2deb1189
a=rtcp-mux
a=rtcp-rsize
a=rtcp-xr:rcvr-rtt=all
${maps.join("\n")}
a=ssrc:793827557 cname:d5UEATT9OU5hbOBT
a=ssrc:793827557 msid:6d2dd6de-0e8c-4524-99d2-2f5066db5e63 8a51a3e7-88e6-4dd5-943f-21fa2deb1189
`);
}

/** Firefox: DTLS and the direction for the whole session, telephone-event of 8 kHz alone. */
export const FIREFOX_OFFER = lines(`
v=0
o=mozilla...THIS_IS_SDPARTA-99.0 4962303333179871723 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:${FINGERPRINT}
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 0.0.0.0
a=sendrecv
a=end-of-candidates
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:e3baa26dd2fa5030d881d385f1e36cce
a=ice-ufrag:58b99ead
a=mid:0
a=msid:{5a990edd-0568-ac40-8d97-310fc33f3411} {218cfa1c-617d-2249-9997-60929ce4c405}
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
a=ssrc:1654 cname:{4b3b5cf4-cba2-4ab9-9bd9-6c1a2c4b5b9e}
`);

/** Asterisk 22. @param formats of 0, 8 and the telephone-event number */
export function asteriskSdp(formats = "0 8 101", direction = "sendrecv"): string {
  const event = formats.split(" ").find((format) => Number(format) >= 96) ?? "101";
  return lines(`
v=0
o=- 1796298770395869764 4 IN IP4 192.0.2.99
s=Asterisk
c=IN IP4 192.0.2.99
t=0 0
m=audio 18032 RTP/AVP ${formats}
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:${event} telephone-event/8000
a=fmtp:${event} 0-16
a=ptime:20
a=maxptime:140
a=${direction}
`);
}

/** baresip 1.0: its SSRC line mutes a browser that gets to see it. It offers video as well. */
export const BARESIP_OFFER = lines(`
v=0
o=- 3341213170 1213170 IN IP4 192.0.2.98
s=-
c=IN IP4 192.0.2.98
t=0 0
a=tool:baresip 1.0.0
m=audio 21374 RTP/AVP 0 8 101
b=AS:125
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:21375
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:311651804 cname:sip:bob@192.0.2.98
a=ptime:20
m=video 21376 RTP/AVP 97
a=rtpmap:97 VP8/90000
a=sendrecv
`);

/** sipp's uas-echo scenario. */
export function sippAnswer(event: string): string {
  return lines(`
v=0
o=uas 1 1 IN IP4 192.0.2.97
s=-
c=IN IP4 192.0.2.97
t=0 0
m=audio 6000 RTP/AVP 0 ${event}
a=rtpmap:0 PCMU/8000
a=rtpmap:${event} telephone-event/8000
a=fmtp:${event} 0-15
a=ptime:20
a=sendrecv
`);
}
