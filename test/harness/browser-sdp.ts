/** What a browser's SDP gives away and what must never reach a PBX. */
export const BROWSER = {
  address: "192.0.2.77",
  publicAddress: "198.51.100.77",
  mdnsHost: "1f4712db-ea17-4bcf-a596-105139dfd8bf.local",
  ufrag: "x6Q2",
  icePassword: "Gq0p7tVnPz1hQY3mLr5sWk8e",
  fingerprint:
    "7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08",
  ssrc: 2_570_980_487,
  cname: "4TOk42mSjXCkVIa6",
  stream: "9c1d2ab4-5f35-4b0b-8d0b-a0a1b2c3d4e5",
} as const;

/** An SDP as Chromium writes it: the offer, or with `setup: "active"` the answer. */
export function browserSdp(
  options: {
    readonly setup?: "actpass" | "active";
    readonly direction?: "sendrecv" | "sendonly" | "recvonly" | "inactive";
    readonly version?: number;
  } = {},
): string {
  const { setup = "actpass", direction = "sendrecv", version = 2 } = options;
  const { address, publicAddress, mdnsHost, ufrag, icePassword, fingerprint } = BROWSER;
  const { ssrc, cname, stream } = BROWSER;
  return [
    "v=0",
    `o=- 4611731400430051336 ${version} IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=extmap-allow-mixed",
    `a=msid-semantic: WMS ${stream}`,
    "m=audio 54321 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
    `c=IN IP4 ${address}`,
    "a=rtcp:9 IN IP4 0.0.0.0",
    `a=candidate:1467250027 1 udp 2122260223 ${address} 54321 typ host generation 0 network-id 1`,
    `a=candidate:2467250028 1 udp 2122194687 ${mdnsHost} 54322 typ host generation 0 network-id 2`,
    `a=candidate:3467250029 1 udp 1686052607 ${publicAddress} 54321 typ srflx raddr ${address} rport 54321 generation 0`,
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${icePassword}`,
    "a=ice-options:trickle",
    `a=fingerprint:sha-256 ${fingerprint}`,
    `a=setup:${setup}`,
    "a=mid:0",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    `a=${direction}`,
    `a=msid:${stream} 0a1b2c3d-0000-4000-8000-000000000001`,
    "a=rtcp-mux",
    "a=rtcp-rsize",
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:63 red/48000/2",
    "a=fmtp:63 111/111",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:13 CN/8000",
    "a=rtpmap:110 telephone-event/48000",
    "a=rtpmap:126 telephone-event/8000",
    `a=ssrc:${ssrc} cname:${cname}`,
    `a=ssrc:${ssrc} msid:${stream} 0a1b2c3d-0000-4000-8000-000000000001`,
    "",
  ].join("\r\n");
}
