import { describe, expect, it } from "vitest";

import { MediaError } from "../../src/media/errors.ts";
import type { SdpAttribute } from "../../src/media/sdp.ts";
import type { LegSrtp } from "../../src/media/session.ts";
import { demandSecurity, strongCryptoOf } from "../../src/media/srtp.ts";

const KEY = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const crypto = (rest: string): SdpAttribute => ({ name: "crypto", value: rest });
const GOOD = crypto(`1 AES_CM_128_HMAC_SHA1_80 ${KEY}`);
const WEAK = crypto(`1 AES_CM_128_HMAC_SHA1_32 ${KEY}`);
const FINGERPRINT: SdpAttribute = { name: "fingerprint", value: "sha-256 AA:BB" };

describe("strongCryptoOf", () => {
  it("keeps strong suites, and drops weak ones and keys that would go unused", () => {
    const lines = [
      GOOD,
      WEAK,
      crypto(`2 NULL_HMAC_SHA1_80 ${KEY}`),
      crypto(`3 AEAD_AES_256_GCM ${KEY}`),
      crypto(`4 AES_CM_128_HMAC_SHA1_80 ${KEY} UNENCRYPTED_SRTP`),
      crypto(`5 AES_CM_128_HMAC_SHA1_80 ${KEY} UNAUTHENTICATED_SRTP`),
      crypto("6 AES_CM_128_HMAC_SHA1_80"),
      crypto("7"),
      FINGERPRINT,
    ];
    expect(strongCryptoOf(lines).map(({ value }) => value?.split(" ", 2).join(" "))).toEqual([
      "1 AES_CM_128_HMAC_SHA1_80",
      "3 AEAD_AES_256_GCM",
    ]);
  });

  it("keeps no more than sixteen", () => {
    expect(strongCryptoOf(Array.from({ length: 50 }, () => GOOD))).toHaveLength(16);
  });
});

describe("demandSecurity", () => {
  const rows: readonly (readonly [LegSrtp, string, readonly SdpAttribute[], string])[] = [
    ["off", "RTP/AVP", [], "none"],
    ["off", "RTP/AVP", [GOOD], "none"],
    // What is never offered is still answered in kind.
    ["off", "RTP/SAVP", [GOOD], "sdes"],
    ["sdes", "RTP/SAVP", [GOOD], "sdes"],
    ["sdes", "RTP/SAVPF", [WEAK, GOOD], "sdes"],
    ["dtls", "UDP/TLS/RTP/SAVP", [FINGERPRINT], "dtls"],
    ["dtls", "RTP/SAVP", [FINGERPRINT], "dtls"],
    ["optional", "RTP/AVP", [], "none"],
    ["optional", "RTP/AVP", [GOOD], "sdes"],
    ["optional", "RTP/AVP", [WEAK], "none"],
    ["optional", "RTP/SAVP", [GOOD], "sdes"],
  ];
  it.each(rows)("srtp: %s takes %s with %j as %s", (srtp, protocol, attributes, security) => {
    expect(demandSecurity({ protocol, attributes }, srtp)).toBe(security);
  });

  const refused: readonly (readonly [LegSrtp, string, readonly SdpAttribute[], RegExp])[] = [
    ["sdes", "RTP/AVP", [], /demands SDES-SRTP, and the far end has plain RTP/],
    // RFC 8643: keys in a plain profile promise nothing.
    ["sdes", "RTP/AVP", [GOOD], /has plain RTP/],
    ["sdes", "RTP/SAVP", [WEAK], /strong suite/],
    ["sdes", "UDP/TLS/RTP/SAVP", [FINGERPRINT], /has DTLS-SRTP/],
    ["dtls", "RTP/AVP", [], /has plain RTP/],
    ["dtls", "RTP/SAVP", [GOOD], /has SDES-SRTP/],
    ["dtls", "UDP/TLS/RTP/SAVP", [], /without a fingerprint/],
    ["off", "RTP/SAVP", [WEAK], /strong suite/],
  ];
  it.each(refused)("srtp: %s refuses %s with %j", (srtp, protocol, attributes, why) => {
    const demand = (): unknown => demandSecurity({ protocol, attributes }, srtp);
    expect(demand).toThrow(MediaError);
    expect(demand).toThrow(why);
    expect(demand).not.toThrow(/inline/);
  });
});
