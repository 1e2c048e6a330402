import { isIPv6 } from "node:net";
import { dirname, resolve } from "node:path";

import { defaultPlan } from "../dialplan/default-plan.ts";
import { compact } from "../dialplan/schema-tools.ts";
import type { DialplanSource } from "../dialplan/source.ts";
import type {
  Config,
  DemoAccess,
  HttpConfig,
  MediaConfig,
  RecordingConfig,
  SessionTimerConfig,
  SipConfig,
  SipListen,
  TrunkConfig,
  TrunkTlsConfig,
  UserConfig,
} from "./config.ts";
import { withAbsoluteFiles } from "./dialplan-files.ts";
import { toLimits } from "./limits.ts";
import { ownAddress } from "./own-address.ts";
import type { Interfaces } from "./own-address.ts";
import type { FileValues } from "./schema.ts";
import { toTrunkIdentity } from "./trunk-identity.ts";
import { toTrunkTransfer } from "./trunk-transfer.ts";
import { withProfile } from "./profile-defaults.ts";
import { isLoopbackHost, isPublicAddress, tryParsePeerUri } from "./values.ts";

/** What the defaults depend on beside the file. */
export interface ResolveContext {
  /** Paths in the file are relative to its directory; undefined: the built-in demo. */
  readonly file: string | undefined;
  /** The demo's users, when the file has no `users`. */
  readonly demo: DemoAccess | undefined;
  readonly interfaces: Interfaces;
}

const SIP_PORT = 5060;

/** Fills in every default. */
export function resolveConfig(values: FileValues, context: ResolveContext): Config {
  const { file, demo } = context;
  const directory = file === undefined ? process.cwd() : dirname(resolve(file));
  const users = new Map(
    demo === undefined
      ? Object.entries(values.users ?? {}).map(([id, user]) => [
          id,
          toUser(id, { ...user, areaCode: user["area-code"] }),
        ])
      : demo.users.map((user) => [user.id, toUser(user.id, user)]),
  );
  const trunks = new Map(
    Object.entries(values.trunks ?? {}).map(([id, trunk]) => [
      id,
      toTrunk(id, trunk, {
        directory,
        tls: values.sip?.tls,
        session: toSessionTimer(values.sip?.["session-timer"]),
      }),
    ]),
  );
  const http = toHttp(values.http, directory);
  const peers = [...trunks.values()].map(
    (trunk) => tryParsePeerUri(trunk.outboundProxy ?? trunk.peer)?.host ?? "",
  );
  const own = ownAddress(context.interfaces, peers) ?? "127.0.0.1";
  const sip = toSip(values.sip, directory, peers.every(isLoopbackHost) ? "127.0.0.1" : own);
  const adminToken = demo?.adminToken;
  const config: Config = {
    domain: values.domain ?? "localhost",
    http,
    sip,
    media: toMedia(values.media, directory, () => mediaHost(http, sip, own)),
    users,
    trunks,
    recording: toRecording(values.recording, directory),
    dialplan: toDialplan(values.dialplan, directory, users, trunks),
    api: {
      tokens:
        values.api?.tokens ??
        (adminToken === undefined ? [] : [{ name: "demo", token: adminToken, role: "admin" }]),
    },
    limits: toLimits(values.limits),
    isWatched: values.reload?.watch ?? true,
    warnings: [],
    ...(file !== undefined && { file }),
    ...(demo !== undefined && { demo: demoInUse(demo, values) }),
  };
  return { ...config, warnings: ownWarnings(config, values) };
}

/** The demo's token counts only where the file has none of its own. */
function demoInUse(demo: DemoAccess, values: FileValues): DemoAccess {
  if (values.api?.tokens === undefined) return demo;
  return compact({ file: demo.file, users: demo.users });
}

type UserValues = Omit<Partial<UserConfig>, "id"> & { readonly password: string };

function toUser(
  id: string,
  user: { [K in keyof UserValues]: UserValues[K] | undefined },
): UserConfig {
  return {
    id,
    name: user.name ?? id,
    password: user.password ?? "",
    numbers: user.numbers ?? [],
    groups: user.groups ?? [],
    ...(user.country !== undefined && { country: user.country }),
    ...(user.areaCode !== undefined && { areaCode: user.areaCode }),
  };
}

function toTrunk(
  id: string,
  own: NonNullable<FileValues["trunks"]>[string],
  shared: {
    readonly directory: string;
    readonly tls: NonNullable<FileValues["sip"]>["tls"];
    readonly session: SessionTimerConfig | undefined;
  },
): TrunkConfig {
  const { directory, tls, session } = shared;
  const { trunk, profile } = withProfile(own);
  const { peer, register } = trunk;
  const account = register?.username ?? trunk.auth?.username;
  const timer = trunk["session-timer"];
  const contactHost = trunk["contact-host"];
  return compact({
    id,
    peer: trunk.peer,
    outboundProxy: trunk["outbound-proxy"],
    auth: trunk.auth,
    register:
      register === undefined
        ? undefined
        : {
            username: register.username,
            password: register.password,
            expiresSeconds: Math.round((register.expires ?? 300_000) / 1000),
          },
    accept: trunk.accept,
    codecs: trunk.codecs,
    codecPolicy: trunk["codec-policy"],
    dtmf: trunk.dtmf ?? "rfc4733",
    dtmfFallback: trunk["dtmf-fallback"] ?? "inband",
    srtp: trunk.srtp ?? "off",
    nat: trunk.nat ?? "auto",
    video: trunk.video ?? false,
    addressFamily: addressFamilyOf(trunk["address-family"]),
    maxCalls: trunk["max-calls"],
    pingMs: trunk.ping,
    pingMisses: trunk["ping-misses"] ?? 3,
    pingHits: trunk["ping-hits"] ?? 2,
    failoverAfterMs: trunk["failover-after"] ?? 4000,
    tls: trunk.tls === undefined ? undefined : toTrunkTls(trunk.tls, directory, tls),
    registrar: trunk.registrar ?? false,
    ...toTrunkIdentity(trunk, { peer, account }),
    passThrough: trunk.registrar === true ? toPassThrough(trunk) : undefined,
    ...toTrunkTransfer(trunk, trunk.peer),
    terms: {
      reliable: trunk["100rel"] ?? "supported",
      session: timer === undefined ? session : toSessionTimer(timer, session),
      ...(contactHost !== undefined && { contactHost }),
    },
    profile,
  });
}

function toPassThrough(
  trunk: NonNullable<FileValues["trunks"]>[string],
): NonNullable<TrunkConfig["passThrough"]> {
  return {
    registersPerSecond: trunk["register-rate"] ?? 20,
    contact: trunk["register-contact"] ?? "gateway",
    maxExpiresSeconds: Math.round((trunk["register-max"] ?? 600_000) / 1000),
  };
}

function addressFamilyOf(
  family: "auto" | "ipv4" | "ipv6" | undefined,
): "ipv4" | "ipv6" | undefined {
  return family === "auto" ? undefined : family;
}

/** What a trunk does not say comes from `sip.tls`: a certificate together with its key. */
function toTrunkTls(
  tls: NonNullable<NonNullable<FileValues["trunks"]>[string]["tls"]>,
  directory: string,
  shared: NonNullable<FileValues["sip"]>["tls"],
): TrunkTlsConfig {
  const absolute = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolve(directory, path);
  const isOwn = tls.ca !== undefined || tls.certificate !== undefined;
  const own = tls.certificate === undefined ? shared : tls;
  return compact({
    name: tls.name,
    verify: tls.verify ?? true,
    files: isOwn
      ? compact({
          caPath: absolute(tls.ca ?? shared?.ca),
          certificatePath: absolute(own?.certificate),
          keyPath: absolute(own?.key),
        })
      : undefined,
  });
}

type SessionTimerValues = NonNullable<FileValues["sip"]>["session-timer"];

/** @param usual what counts for the keys that are missing */
function toSessionTimer(
  timer: SessionTimerValues,
  usual: SessionTimerConfig = { expiresSeconds: 1800, minimumSeconds: 90 },
): SessionTimerConfig | undefined {
  if (timer === "off") return undefined;
  const seconds = (ms: number | undefined): number | undefined =>
    ms === undefined ? undefined : Math.round(ms / 1000);
  const minimumSeconds = seconds(timer?.minimum) ?? usual.minimumSeconds;
  const expiresSeconds = seconds(timer?.expires) ?? usual.expiresSeconds;
  return { expiresSeconds: Math.max(expiresSeconds, minimumSeconds), minimumSeconds };
}

function toHttp(http: FileValues["http"], directory: string): HttpConfig {
  return compact({
    listen: http?.listen ?? { host: "127.0.0.1", port: 8080 },
    tls:
      http?.tls === undefined
        ? undefined
        : {
            certificatePath: resolve(directory, http.tls.certificate),
            keyPath: resolve(directory, http.tls.key),
          },
    origins: http?.origins,
    trustedProxies: http?.["trusted-proxies"] ?? [],
    clientAddress: http?.["client-address"] ?? "x-forwarded-for",
  });
}

function toSip(sip: FileValues["sip"], directory: string, ownHost: string): SipConfig {
  // RFC 3261 §18: everybody speaks both.
  const listen: readonly SipListen[] = sip?.listen ?? [
    { transport: "udp", host: ownHost, port: SIP_PORT },
    { transport: "tcp", host: ownHost, port: SIP_PORT },
  ];
  const engine = sip?.engine;
  const tls = sip?.tls;
  return compact({
    engine:
      typeof engine === "object"
        ? {
            kind: "drachtio" as const,
            servers: [engine.drachtio].flat().map(({ host, port, secret }) => ({
              host: host ?? "127.0.0.1",
              port: port ?? DRACHTIO_PORT,
              secret,
            })),
          }
        : { kind: "embedded" as const },
    listen,
    dns: sip?.dns,
    tls:
      tls === undefined
        ? undefined
        : compact({
            certificatePath: resolve(directory, tls.certificate),
            keyPath: resolve(directory, tls.key),
            caPath: tls.ca === undefined ? undefined : resolve(directory, tls.ca),
            verifyClient: tls["verify-client"],
          }),
  });
}

function toMedia(
  media: FileValues["media"],
  directory: string,
  defaultHost: () => string,
): MediaConfig {
  const sockets = Array.isArray(media?.rtpengine) ? media.rtpengine : undefined;
  const [address, ...otherAddresses] = media?.address ?? [];
  const { opus, dscp } = media ?? {};
  return compact({
    rtpengine:
      sockets === undefined ? { kind: "managed" as const } : { kind: "external" as const, sockets },
    address: address ?? (sockets === undefined ? defaultHost() : undefined),
    otherAddresses: otherAddresses.length === 0 ? undefined : otherAddresses,
    ports: media?.ports ?? { min: 30_000, max: 39_999 },
    timeoutMs: media?.timeout ?? 60_000,
    codecs: media?.codecs ?? "auto",
    opus: compact({
      fec: opus?.fec ?? true,
      dtx: opus?.dtx ?? false,
      ptimeMs: Number.parseInt(opus?.ptime ?? "20ms", 10),
      bitrate: opus?.bitrate,
    }),
    // RFC 8837 §5 and what PBXs do: sound is EF.
    dscp: dscp === "off" ? undefined : (dscp ?? 46),
    ice: media?.ice ?? "full",
    digitEvents: media?.["digit-events"],
    video: media?.video ?? true,
    music: toMusic(media?.music, directory),
    turn: media?.turn,
  });
}

function toRecording(recording: FileValues["recording"], directory: string): RecordingConfig {
  const consent = recording?.consent ?? "tone";
  return {
    directory: resolve(directory, recording?.directory ?? "recordings"),
    consent:
      consent === "tone" || consent === "none"
        ? { kind: consent }
        : { kind: "file", path: resolve(directory, consent) },
  };
}

function toMusic(music: string | undefined, directory: string): MediaConfig["music"] {
  if (music === undefined || music === "default") return { kind: "default" };
  return music === "off" ? { kind: "off" } : { kind: "file", path: resolve(directory, music) };
}

/** Where peers send media: the address that SIP names, unless browsers come from elsewhere. */
function mediaHost(http: HttpConfig, sip: SipConfig, own: string): string {
  const host = sip.listen[0]?.host ?? "127.0.0.1";
  if (host === "0.0.0.0" || host === "::") return own;
  if (isLoopbackHost(host) && !isLoopbackHost(http.listen.host)) return own;
  return host;
}

function toDialplan(
  plan: FileValues["dialplan"],
  directory: string,
  users: ReadonlyMap<string, unknown>,
  trunks: ReadonlyMap<string, unknown>,
): DialplanSource {
  const builtIn = defaultPlan(users.keys(), trunks);
  if (plan === undefined) return builtIn;
  return withAbsoluteFiles({ ...plan, routes: plan.routes ?? builtIn.routes }, (file) =>
    resolve(directory, file),
  );
}

const DRACHTIO_PORT = 9022;
const MIN_TOKEN_LENGTH = 16;
/** RFC 4028 §5. */
const LEAST_SESSION_MS = 90_000;

/** Values that work but are probably not what was meant. */
function ownWarnings(config: Config, values: FileValues): readonly string[] {
  const warnings: string[] = [];
  if (config.media.rtpengine.kind === "external") {
    for (const key of ["address", "ports"] as const) {
      if (values.media?.[key] === undefined) continue;
      warnings.push(`media.${key}: not used, because media.rtpengine names sockets of others`);
    }
  }
  for (const [index, { token }] of config.api.tokens.entries()) {
    if (token.length >= MIN_TOKEN_LENGTH) continue;
    warnings.push(
      `api.tokens.${index}.token: shorter than ${MIN_TOKEN_LENGTH} characters, and so easy to guess; make one with: openssl rand -hex 24`,
    );
  }
  if (values.dialplan?.routes === undefined && config.trunks.size > 1) {
    warnings.push(
      `dialplan.routes: missing with ${config.trunks.size} trunks, so no call goes out; write a route that dials one of them`,
    );
  }
  warnings.push(...tlsWarnings(config));
  warnings.push(...drachtioWarnings(config, values));
  for (const [id, trunk] of Object.entries(values.trunks ?? {})) {
    const hasAccount = trunk.register !== undefined || trunk.auth !== undefined;
    if (hasAccount || withProfile(trunk).trunk["from-user"] !== "account") continue;
    warnings.push(
      `trunks.${id}.from-user: account, but neither register nor auth names one; From shows the caller`,
    );
  }
  const timers = [
    ["sip", values.sip?.["session-timer"]] as const,
    ...Object.entries(values.trunks ?? {}).map(
      ([id, trunk]) => [`trunks.${id}`, trunk["session-timer"]] as const,
    ),
  ];
  for (const [section, timer] of timers) {
    const minimum = timer === "off" ? undefined : timer?.minimum;
    if (minimum === undefined || minimum >= LEAST_SESSION_MS) continue;
    warnings.push(
      `${section}.session-timer.minimum: below 90s, which RFC 4028 forbids; peers may refuse it`,
    );
  }
  const isMediaV6 = config.media.address !== undefined && isIPv6(config.media.address);
  const isSipV6 = config.sip.listen.every(({ host }) => isIPv6(host));
  if (
    config.media.rtpengine.kind === "managed" &&
    config.sip.engine.kind === "embedded" &&
    isMediaV6 !== isSipV6 &&
    config.trunks.size > 0
  ) {
    warnings.push(
      "media.address: of another address family than sip.listen, so trunks may not reach the media",
    );
  }
  return warnings;
}

/** Keys that drachtio-server answers for. */
function drachtioWarnings({ sip }: Config, values: FileValues): readonly string[] {
  if (sip.engine.kind !== "drachtio") return [];
  const timers = [
    ["sip", values.sip?.["session-timer"]] as const,
    ...Object.entries(values.trunks ?? {}).map(
      ([id, trunk]) => [`trunks.${id}`, trunk["session-timer"]] as const,
    ),
  ];
  return [
    ...(values.sip?.listen === undefined
      ? []
      : ["sip.listen: not used, because drachtio-server listens"]),
    ...timers
      .filter(([, timer]) => timer !== undefined && timer !== "off")
      .map(([key]) => `${key}.session-timer: not used, because drachtio-server has the timers`),
    ...sip.engine.servers
      .filter(({ host }) => isPublicAddress(host))
      .map(
        ({ host }) =>
          `sip.engine.drachtio: ${host} is a public address, and whoever reaches a drachtio-server there can make calls`,
      ),
  ];
}

function tlsWarnings({ sip, trunks }: Config): readonly string[] {
  const warnings: string[] = [];
  if (sip.engine.kind === "drachtio") return warnings;
  const listens = (transport: string): boolean =>
    sip.listen.some((listener) => listener.transport === transport);
  for (const { id, peer, tls } of trunks.values()) {
    const key = `trunks.${id}`;
    if (tls?.verify === false) {
      warnings.push(`${key}.tls.verify: false, so anybody in between can take the peer's place`);
    }
    const uri = tryParsePeerUri(peer);
    const transport = uri?.scheme === "sips" ? "tls" : uri?.transport;
    if ((transport === "tcp" || transport === "tls") && !listens(transport)) {
      warnings.push(
        `${key}.peer: calls go out over ${transport}, but no ${transport}: listener under sip.listen takes what the peer sends by itself`,
      );
    }
  }
  return warnings;
}
