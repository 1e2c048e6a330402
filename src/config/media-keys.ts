import { z } from "zod";

import { codecPolicy } from "../dialplan/action-schema.ts";
import {
  duration,
  flag,
  like,
  oneOrMore,
  password,
  scalar,
  text,
  wholeNumber,
  word,
} from "../dialplan/scalar.ts";
import {
  isPublicAddress,
  tryParseMediaAddress,
  tryParseNgSocket,
  tryParsePortRange,
  tryParseTurnUrl,
} from "./values.ts";

const ngSocket = like("an ng socket such as udp:10.0.0.5:22222", tryParseNgSocket);
const rtpengineNode = z.union([
  ngSocket.transform((socket) => ({ ...socket, weight: 1 })),
  z
    .strictObject({
      socket: ngSocket.meta({
        description: "The ng socket of an rtpengine",
        example: "udp:10.0.0.5:22222",
      }),
      weight: wholeNumber(0, 1000).optional().meta({
        description: "Its share of new calls beside the others; 0: only when no other answers",
        default: "1",
      }),
    })
    .transform(({ socket, weight = 1 }) => ({ ...socket, weight })),
]);

const DSCP_NAMES = new Map([
  ["ef", 46],
  ["cs0", 0],
  ["cs3", 24],
  ["cs4", 32],
  ["cs5", 40],
  ["af31", 26],
  ["af41", 34],
  ["af42", 36],
]);

const dscp = scalar<number | "off">({
  expected: `off, a number from 0 to 63, or one of ${[...DSCP_NAMES.keys()].join(", ")}`,
  parse: (value) => {
    if (value === "off") return value;
    const number = /^[0-9]{1,2}$/.test(value) ? Number(value) : DSCP_NAMES.get(value.toLowerCase());
    return number === undefined || number > 63 ? undefined : number;
  },
  json: {
    anyOf: [
      { type: "integer", minimum: 0, maximum: 63 },
      { type: "string", enum: ["off", ...DSCP_NAMES.keys()] },
    ],
  },
});

const opusSchema = z.strictObject({
  fec: flag()
    .optional()
    .meta({ description: "Forward error correction against lost packets", default: "true" }),
  dtx: flag().optional().meta({ description: "Sends nothing in silence", default: "false" }),
  ptime: word("10ms", "20ms", "40ms", "60ms")
    .optional()
    .meta({ description: "Sound in a packet", default: "20ms" }),
  bitrate: wholeNumber(6000, 510_000).optional().meta({
    description: "Bits a second on average",
    default: "the sender's choice",
    example: "24000",
  }),
});

/** What stands under `media`. */
export const mediaSchema = z.strictObject({
  rtpengine: z
    .union([word("managed"), z.array(rtpengineNode).min(1).max(64)])
    .optional()
    .meta({
      description:
        "`managed`: start and watch the local rtpengine; or a list of the ng sockets of others, each alone or as `{ socket, weight }`",
      default: "managed",
      example: '["udp:10.0.0.5:22222", { socket: "udp:10.0.0.6:22222", weight: 2 }]',
    }),
  "allow-public-ng": flag().optional().meta({
    description:
      "true: ng sockets may be at public addresses. Whoever reaches an ng socket can redirect the sound of every call: nothing in the protocol stops him",
    default: "false",
  }),
  timeout: duration("3s", "1h").optional().meta({
    description:
      "A call ends when nothing has come for this long from an end that should send, and up to a quarter longer (with thousands of calls up to twice as long); never while it is held",
    default: "60s",
  }),
  address: oneOrMore(
    like("an IP address, or private!public behind a 1:1 NAT", tryParseMediaAddress),
    4,
  )
    .optional()
    .meta({
      description:
        "With `managed`: the address that media is bound to, or several, of IPv4 and IPv6; `private!public` behind a 1:1 NAT",
      default: "the address of sip.listen, else the machine's own",
      example: "192.0.2.10",
    }),
  ports: like("a range of UDP ports such as 30000-39999 (from 1024, at least 4)", tryParsePortRange)
    .optional()
    .meta({ description: "UDP ports for media, with `managed`", default: "30000-39999" }),
  codecs: codecPolicy.optional().meta({
    description:
      "`auto`: never transcode when both sides share a codec; `narrow` (or `pass-narrow`): G.722 and G.711 end to end; `opus`: Opus at the browser, transcoded toward trunks",
    default: "auto",
    example: "narrow",
  }),
  opus: opusSchema.optional().meta({
    description: "What browsers, and trunks that take Opus, are asked for when they send Opus",
    default: "`fec` true, `dtx` false, `ptime` 20ms",
    example: "{ fec: true, ptime: 40ms, bitrate: 24000 }",
  }),
  dscp: dscp.optional().meta({
    description: "Mark of media packets for routers: a name, a number from 0 to 63, or `off`",
    default: "ef",
    example: "af41",
  }),
  ice: z.enum(["full", "lite"]).optional().meta({
    description:
      "`lite`: rtpengine leaves the connectivity checks to the browser (RFC 8445 §2.5), for a media address that every browser reaches; it sends fewer packets, and follows a browser that restarts ICE",
    default: "full",
    example: "lite",
  }),
  "digit-events": ngSocket.optional().meta({
    description:
      "With rtpengines of others: a UDP address of this machine to which they report digits (`dtmf-log-dest` of rtpengine.conf); trunks with `dtmf: info` need it for browsers that send events, and keys that come as event and by INFO for counting once",
    default: "none; the managed rtpengine reports by itself",
    example: '"udp:10.0.0.1:22333"',
  }),
  video: flag().optional().meta({
    description:
      "Video (VP8, H.264) beside the sound of a call, passed through without transcoding, where both sides have it: between web users, and with trunks that say `video`. false: none, sound only",
    default: "true",
  }),
  music: text("`default`, `off` or the path of a WAV file").optional().meta({
    description:
      "What a held party hears: `default`: a quiet tune that comes with the gateway; a WAV file (PCM or G.711), relative to this file; `off`: silence. A PBX that holds with music of its own is left to it",
    default: "default",
    example: "waiting.wav",
  }),
  turn: z
    .strictObject({
      urls: oneOrMore(like("a TURN URL such as turn:192.0.2.10:3478", tryParseTurnUrl)).meta({
        description: "TURN servers for the phone",
        example: '["turn:192.0.2.10:3478"]',
      }),
      secret: password().meta({
        description: "The secret shared with the TURN server; phones get short-lived credentials",
        example: '"${TURN_SECRET}"',
      }),
    })
    .optional()
    .meta({ description: "TURN for phones behind strict firewalls", default: "none" }),
});

/** The ng protocol knows no password: a socket at a public address needs an explicit yes. */
export function needPrivateNg(media: z.output<typeof mediaSchema>, context: z.RefinementCtx): void {
  const { rtpengine } = media;
  if (media["allow-public-ng"] === true || !Array.isArray(rtpengine)) return;
  for (const [index, { host }] of rtpengine.entries()) {
    if (!isPublicAddress(host)) continue;
    context.addIssue({
      code: "custom",
      path: ["rtpengine", index],
      message: `${host} is a public address, and whoever reaches an ng socket can redirect every call`,
      params: { expected: "a private address, or allow-public-ng: true beside it" },
    });
  }
}

/** What stands under `recording`. */
export const recordingSchema = z.strictObject({
  directory: text("the path of a directory").optional().meta({
    description:
      "Where recordings go, one WAV file a recording, named by the call's id, readable by the gateway's user alone; relative to this file",
    default: "recordings",
    example: "/var/lib/offhook/recordings",
  }),
  consent: text("`tone`, `none` or the path of a WAV file").optional().meta({
    description:
      "What both parties hear as a recording begins: `tone`: 1400 Hz for half a second; a WAV file, relative to this file; `none`: nothing. What the law asks for differs from country to country",
    default: "tone",
    example: "consent.wav",
  }),
  format: word("wav").optional().meta({
    description: "Stereo, 16 bits, 8 kHz: the caller to the left, the callee to the right",
    default: "wav",
  }),
});
