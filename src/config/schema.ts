import { z } from "zod";

import { codecPolicy } from "../dialplan/action-schema.ts";
import { compact } from "../dialplan/schema-tools.ts";
import { knownCountries } from "../dialplan/number.ts";
import { dialplanSchema } from "../dialplan/schema.ts";
import {
  duration,
  flag,
  like,
  oneOrMore,
  password,
  scalar,
  text,
  textLike,
  wholeNumber,
  word,
} from "../dialplan/scalar.ts";
import { drachtioSchema, noTlsBesideDrachtio } from "./drachtio-keys.ts";
import { clientKeys } from "./http-keys.ts";
import { limitsSchema } from "./limits.ts";
import { mediaSchema, needPrivateNg, recordingSchema } from "./media-keys.ts";
import { oneRegistrar, registrarKeys } from "./registrar-keys.ts";
import { reloadSchema } from "./reload.ts";
import { trunkKeys } from "./trunk-keys.ts";
import {
  tryParseHost,
  tryParseListen,
  tryParseNameServer,
  tryParsePeerUri,
  tryParseRange,
  tryParseSipListen,
} from "./values.ts";

/**
 * Every key of offhook.yaml: its shape, unit, default and description. The loader, the JSON Schema
 * and docs/configuration.md are all made from this one value.
 */

const path = text("the path of a file");
const username = text("a user name");

const listen = like(
  "an address and port such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080",
  tryParseListen,
);
const sipListen = like(
  "a transport, address and port such as udp:192.0.2.10:5060, tcp:192.0.2.10:5060 or tls:192.0.2.10:5061",
  tryParseSipListen,
);
const httpSchema = z.strictObject({
  listen: listen.optional().meta({
    description:
      "Address and port of the web phone, the console, REST and SIP over WebSocket; port 0: any free one",
    default: "127.0.0.1:8080",
    example: "0.0.0.0:8080",
  }),
  tls: z
    .strictObject({
      certificate: path.meta({
        description: "PEM file with the certificate and its chain, relative to this file",
        example: "fullchain.pem",
      }),
      key: path.meta({
        description: "PEM file with the private key, relative to this file",
        example: "privkey.pem",
      }),
    })
    .optional()
    .meta({
      description: "HTTPS and WSS; browsers give the microphone only on HTTPS or on localhost",
      default: "none: plain HTTP and WS",
    }),
  ...clientKeys,
});

const sessionTimer = z.union([
  word("off"),
  z
    .strictObject({
      expires: duration("2s", "24h").optional().meta({
        description: "How long a call lives without a refresh; half of it is between two refreshes",
        default: "30m",
      }),
      minimum: duration("1s", "24h").optional().meta({
        description: "The shortest interval that a peer may ask for; below it, 422",
        default: "90s",
      }),
    })
    .transform((value) => compact(value)),
]);

const sipSchema = z.strictObject({
  engine: z
    .union([word("embedded"), drachtioSchema])
    .optional()
    .meta({
      description:
        "Who speaks SIP with the trunks: `embedded`, or a map `drachtio:` (see [drachtio.md](drachtio.md))",
      default: "embedded",
    }),
  listen: oneOrMore(sipListen).optional().meta({
    description:
      "Where SIP of PBXs and carriers is taken: `udp:`, `tcp:` or `tls:`, an address and a port",
    default:
      "udp and tcp on 127.0.0.1:5060 without trunks or with trunks on this machine; with another trunk, on port 5060 of the machine's own address",
    example: "[udp:192.0.2.10:5060, tcp:192.0.2.10:5060]",
  }),
  dns: oneOrMore(
    like("the address of a name server such as 192.0.2.53 or 127.0.0.1:5353", tryParseNameServer),
    8,
  )
    .optional()
    .meta({
      description: "Name servers that the trunks' peers are looked up with",
      default: "the system's",
      example: "[192.0.2.53, 192.0.2.54]",
    }),
  tls: z
    .strictObject({
      certificate: path.meta({
        description: "PEM file, relative to this file",
        example: "sip.pem",
      }),
      key: path.meta({ description: "PEM file, relative to this file", example: "sip.key" }),
      ca: path.optional().meta({
        description: "PEM file with the authorities that peers' certificates come from",
        default: "those that Node.js comes with",
      }),
      "verify-client": word("none", "optional", "required").optional().meta({
        description:
          "Certificates of callers, checked with `ca`: `optional` refuses a wrong one, `required` also a caller without one",
        default: "optional with `ca`, else none",
      }),
    })
    .optional()
    .meta({
      description:
        "For `tls:` listeners, and for connections to trunks; read again at SIGHUP without a drop",
      default: "none",
    }),
  "session-timer": sessionTimer.optional().meta({
    description:
      "Session timers toward trunks (RFC 4028): calls whose other end has gone without a word end. `off`: none is asked for, and a peer that wants one refreshes by itself",
    default: "`expires` 30m, `minimum` 90s",
    example: "{ expires: 15m }",
  }),
});

function needTlsFiles(
  { engine, listen: listeners = [], tls }: z.output<typeof sipSchema>,
  context: z.RefinementCtx,
): void {
  const isOurs = typeof engine !== "object";
  const listens = listeners.some(({ transport }) => transport === "tls");
  if (!isOurs || !listens || tls !== undefined) return;
  context.addIssue({
    code: "custom",
    path: ["tls"],
    params: { expected: "a map with the certificate and key of the tls: listener" },
  });
}

/** A code point of differentiated services, and its names (RFC 2474, RFC 3246, RFC 2597). */
/** Ids stand in SIP URIs and in paths of the REST API. */
const ID = /^[A-Za-z0-9+][A-Za-z0-9._+-]{0,63}$/;
const ID_TEXT = "a letter, a digit or +, then letters, digits, . _ + - (at most 64 in all)";

const idKey = (what: string) =>
  z.string().regex(ID, { message: `not usable as the id of a ${what}; expected ${ID_TEXT}` });

const userSchema = z.strictObject({
  name: text("a name")
    .optional()
    .meta({ description: "Shown to the other side", default: "the id", example: "Ann Lee" }),
  password: password().meta({
    description: "Sign-in of the phone and SIP digest",
    example: '"${ANN_PASSWORD}"',
  }),
  numbers: oneOrMore(textLike(/^\+[1-9][0-9]{2,14}$/, "an E.164 number such as +493012345601"))
    .optional()
    .meta({
      description: "E.164 numbers of the user; the first is presented on calls to trunks",
      default: "[]",
      example: '["+493012345601"]',
    }),
  groups: oneOrMore(textLike(ID, "a group's name of letters, digits, . _ + -")).optional().meta({
    description: "Names that the dialplan can ask for",
    default: "[]",
    example: "[staff]",
  }),
  country: like("the ISO 3166 code of a country such as DE, GB or US", (value) =>
    knownCountries.find((country) => country === value.toUpperCase()),
  )
    .optional()
    .meta({
      description: "Where the user dials from: how its national numbers are read",
      default: "dialplan.country",
      example: "FR",
    }),
  "area-code": textLike(/^[0-9]{1,6}$/, "digits, without the 0 in front")
    .optional()
    .meta({
      description: "Dialled before the user's local numbers",
      default: "dialplan.area-code",
      example: '"30"',
    }),
});

/** Names as SDP writes them (IANA "RTP Payload Format Media Types"). */
const CODECS = ["opus", "G722", "PCMA", "PCMU", "G729", "GSM", "iLBC", "AMR", "AMR-WB"] as const;

const trunkTlsSchema = z
  .strictObject({
    ca: path.optional().meta({
      description: "PEM file with the authorities that the peer's certificate comes from",
      default: "`sip.tls.ca`",
      example: "carrier-ca.pem",
    }),
    certificate: path.optional().meta({
      description: "PEM file with the certificate that we show to the peer",
      default: "`sip.tls.certificate`",
      example: "client.pem",
    }),
    key: path.optional().meta({
      description: "PEM file with its key",
      default: "`sip.tls.key`",
      example: "client.key",
    }),
    name: text("a name such as sip.example.com").optional().meta({
      description:
        "What the peer's certificate must name, compared whole: a wildcard has to be written here",
      default: "the host of `peer`",
      example: "sip.example.com",
    }),
    verify: flag().optional().meta({
      description: "false: takes any certificate, and so anybody in between",
      default: "true",
    }),
  })
  .superRefine(({ certificate, key }, context) => {
    if ((certificate === undefined) === (key === undefined)) return;
    context.addIssue({
      code: "custom",
      path: [certificate === undefined ? "certificate" : "key"],
      params: { expected: "a certificate and its key together" },
    });
  });

/** One of `trunks`. */
export const trunkSchema = z
  .strictObject({
    peer: like("a SIP URI such as sip:pbx.example.com:5060", (value) =>
      tryParsePeerUri(value) === undefined ? undefined : value,
    ).meta({
      description:
        "The PBX or carrier; a name without port leads to its servers by NAPTR and SRV, any name by A and AAAA or /etc/hosts; it stands there whole, no search domain is added",
      example: "sip:pbx.example.com:5060;transport=udp",
    }),
    register: z
      .strictObject({
        username: username.meta({ description: "Account at the registrar" }),
        password: password().meta({ description: "Its password" }),
        expires: duration("1m", "24h")
          .optional()
          .meta({ description: "How long a registration lasts", default: "5m" }),
      })
      .optional()
      .meta({
        description:
          "Registers at the peer; without `auth` these credentials answer its challenges to calls too",
        default: "none",
      }),
    auth: z
      .strictObject({
        username: username.meta({ description: "User name of the digest" }),
        password: password().meta({ description: "Its password" }),
      })
      .optional()
      .meta({ description: "Answers the peer's 401 and 407", default: "none" }),
    tls: trunkTlsSchema.optional().meta({
      description: "TLS connections to the peer",
      default: "as `sip.tls` says, the peer's certificate checked for the host of `peer`",
    }),
    accept: oneOrMore(like("an address or a range such as 198.51.100.0/24", tryParseRange))
      .optional()
      .meta({
        description: "Addresses that calls may come from",
        default: "where `peer` leads to, and led to in the last hour",
        example: "[198.51.100.0/24]",
      }),
    codecs: oneOrMore(
      scalar({
        expected: `a codec (${CODECS.join(", ")})`,
        parse: (value) => CODECS.find((codec) => codec.toLowerCase() === value.toLowerCase()),
        json: { type: "string", enum: CODECS },
      }),
    )
      .optional()
      .meta({
        description: "Codecs toward the peer, in order of preference",
        default: "by media.codecs",
        example: "[PCMA, PCMU, G722]",
      }),
    "codec-policy": codecPolicy.optional().meta({
      description: "How codecs are chosen in calls with the peer, as `media.codecs` says it",
      default: "`media.codecs`",
      example: "opus",
    }),
    dtmf: word("rfc4733", "info", "inband").optional().meta({
      description:
        "How digits cross to the peer: as events in RTP, as SIP INFO, or as tones in the sound; what comes from it is understood in each form, tones where it is `inband` or the peer has no events",
      default: "rfc4733",
    }),
    "dtmf-fallback": word("inband", "info").optional().meta({
      description: "How digits cross when `dtmf` is rfc4733 and the peer answers without events",
      default: "inband",
    }),
    srtp: word("off", "sdes", "dtls", "optional").optional().meta({
      description:
        "Encryption of media with the peer: `sdes` and `dtls` refuse a peer without it, `optional` offers SDES and takes what comes (RFC 8643)",
      default: "off",
    }),
    nat: word("auto", "yes", "no").optional().meta({
      description:
        "Whether a NAT stands before the peer's media. Without one, packets are taken from nowhere but the address in its SDP. `auto`: no NAT when that is where its signaling comes from",
      default: "auto",
    }),
    video: flag().optional().meta({
      description:
        "Whether calls with the peer may have video: for video telephones and intercoms; carriers have none",
      default: "false",
    }),
    "address-family": word("auto", "ipv4", "ipv6").optional().meta({
      description: "Family of the media address that the peer gets",
      default: "auto: that of its SIP servers, else of the other side",
      example: "ipv6",
    }),
    "max-calls": wholeNumber(1, 1_000_000).optional().meta({
      description: "Calls at once, both directions together",
      default: "no limit of its own",
      example: "30",
    }),
    ping: duration("1s", "1h").optional().meta({
      description: "Interval of OPTIONS that watch the servers of the peer",
      default: "none",
      example: "30s",
    }),
    "ping-misses": wholeNumber(1, 100).optional().meta({
      description: "OPTIONS without an answer, one after the other, until the trunk is down",
      default: "3",
    }),
    "ping-hits": wholeNumber(1, 100).optional().meta({
      description: "Answered OPTIONS, one after the other, until a trunk that was down is up again",
      default: "2",
    }),
    "failover-after": duration("500ms", "32s").optional().meta({
      description:
        "How long a server of the peer may say nothing before the next one is called: another server of the peer, or the next trunk of the route",
      default: "4s",
    }),
    "100rel": word("off", "supported", "required").optional().meta({
      description:
        "Reliable provisional responses (RFC 3262): `supported`: when the peer takes them; `required`: a peer that does not gets 421; `off`: never",
      default: "supported",
    }),
    "session-timer": sessionTimer.optional().meta({
      description: "Session timers toward this peer",
      default: "`sip.session-timer`",
      example: "off",
    }),
    ...registrarKeys,
    ...trunkKeys,
  })
  .transform((value) => compact(value));

const apiSchema = z.strictObject({
  tokens: z
    .array(
      z.strictObject({
        name: text("a name").meta({
          description: "Shown in logs instead of the token",
          example: "ops",
        }),
        token: text("a token that is not empty", { isSecret: true }).meta({
          description: "Sent as `Authorization: Bearer …`; long and random",
          example: '"${OFFHOOK_ADMIN_TOKEN}"',
        }),
        role: word("viewer", "operator", "admin").meta({
          description: "`viewer` reads, `operator` ends calls as well, `admin` does everything",
          example: "admin",
        }),
      }),
    )
    .optional()
    .meta({ description: "Bearer tokens of the REST API", default: "[]" }),
});

const keysOfFile = z.strictObject({
  domain: like("a host name such as voice.example.com", tryParseHost).optional().meta({
    description: "SIP domain of the web users",
    default: "localhost",
    example: "voice.example.com",
  }),
  http: httpSchema.optional().meta({ description: "The HTTP server" }),
  sip: sipSchema
    .superRefine(needTlsFiles)
    .optional()
    .meta({ description: "SIP toward PBXs and carriers" }),
  media: mediaSchema.superRefine(needPrivateNg).optional().meta({ description: "Sound" }),
  recording: recordingSchema
    .optional()
    .meta({ description: "Recordings of calls, where a route or the API asks for one" }),
  users: z.record(idKey("user"), userSchema).optional().meta({
    description: "Web users by id; the id is what others dial",
    default: "the demo's users 1001 and 1002",
  }),
  trunks: z
    .record(idKey("trunk"), trunkSchema)
    .superRefine(oneRegistrar)
    .optional()
    .meta({ description: "PBXs and carriers by id", default: "none" }),
  dialplan: dialplanSchema
    .optional()
    .meta({ description: "What happens with a call", default: "the built-in plan" }),
  api: apiSchema.optional().meta({ description: "The REST API" }),
  limits: limitsSchema
    .optional()
    .meta({ description: "What is taken at most, of whom, and how fast" }),
  reload: reloadSchema.optional().meta({ description: "How changes of the file come into force" }),
});

/** The whole file. */
export const fileSchema = keysOfFile.superRefine(noTlsBesideDrachtio);

/** The file after the schema, before the defaults. */
export type FileValues = z.output<typeof fileSchema>;
