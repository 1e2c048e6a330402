import { describe, expect, it } from "vitest";
import { ChallengeAnswer } from "../../../src/signaling/auth/challenge-answer.ts";
import { digestResponse } from "../../../src/signaling/auth/digest.ts";
import { tryParseDigestCredentials } from "../../../src/signaling/message/auth-header.ts";
import { buildRequest, buildResponse } from "../../../src/signaling/message/build.ts";
import type { SipRequest, SipResponse } from "../../../src/signaling/message/message.ts";

const AUTH = { username: "gw", password: "secret" };

function requestOf(method: string, toTag = ""): SipRequest {
  return buildRequest({
    method,
    requestUri: "sip:5@pbx.test",
    headers: [
      ["Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"],
      ["From", "<sip:1@gw.test>;tag=a"],
      ["To", `<sip:5@pbx.test>${toTag === "" ? "" : `;tag=${toTag}`}`],
      ["Call-ID", "c"],
      ["CSeq", `1 ${method}`],
    ],
  });
}

function challengeOf(request: SipRequest, status: number, ...values: string[]): SipResponse {
  const name = status === 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
  return buildResponse(request, status, {
    headers: values.map((value) => [name, `Digest ${value}`] as const),
  });
}

const REALM_A = 'realm="a", nonce="n1", algorithm=MD5, qop="auth", opaque="o"';

describe("RFC 3261 §22.2, §22.3 the answer to a trunk's challenge", () => {
  it.each([
    [401, "Authorization"],
    [407, "Proxy-Authorization"],
  ])("%i is answered in %s", (status, name) => {
    const invite = requestOf("INVITE");
    const field = new ChallengeAnswer(AUTH).authorize(
      invite,
      challengeOf(invite, status, REALM_A),
      0,
    );
    expect(field?.[0]).toBe(name);
    const given = tryParseDigestCredentials(field?.[1] ?? "");
    expect(given).toMatchObject({
      username: "gw",
      realm: "a",
      nonce: "n1",
      uri: "sip:5@pbx.test",
      algorithm: "MD5",
      opaque: "o",
      qop: "auth",
      nc: "00000001",
    });
    expect(given?.response).toBe(
      digestResponse({
        algorithm: "MD5",
        ...AUTH,
        realm: "a",
        nonce: "n1",
        nonceCount: "00000001",
        cnonce: given?.cnonce ?? "",
        method: "INVITE",
        uri: "sip:5@pbx.test",
      }),
    );
  });

  it("takes the topmost algorithm that it knows (RFC 8760 §2.4)", () => {
    const invite = requestOf("INVITE");
    const response = challengeOf(
      invite,
      401,
      'realm="a", nonce="n0", algorithm=SHA-512-256, qop="auth"',
      'realm="a", nonce="n1", algorithm=SHA-256, qop="auth-int,auth"',
      'realm="a", nonce="n2", algorithm=MD5, qop="auth"',
    );
    const field = new ChallengeAnswer(AUTH).authorize(invite, response, 0);
    expect(tryParseDigestCredentials(field?.[1] ?? "")).toMatchObject({
      nonce: "n1",
      algorithm: "SHA-256",
    });
  });

  it("answers a challenge without qop as RFC 2069 says", () => {
    const invite = requestOf("INVITE");
    const response = challengeOf(invite, 401, 'realm="a", nonce="n1"');
    const field = new ChallengeAnswer(AUTH).authorize(invite, response, 0);
    const given = tryParseDigestCredentials(field?.[1] ?? "");
    expect(given?.qop).toBeUndefined();
    expect(given?.algorithm).toBeUndefined();
  });

  it.each([
    ["first", REALM_A, 0, true],
    ["again", REALM_A, 1, false],
    ["again but stale", `${REALM_A}, stale=true`, 1, true],
    ["stale a third time", `${REALM_A}, stale=true`, 2, false],
    ["only auth-int", 'realm="a", nonce="n", qop="auth-int"', 0, false],
    ["unknown algorithm", 'realm="a", nonce="n", algorithm=X, qop="auth"', 0, false],
    ["no nonce", 'realm="a", qop="auth"', 0, false],
  ])("%s: %s", (_title, value, attempt, isAnswered) => {
    const invite = requestOf("INVITE");
    const answer = new ChallengeAnswer(AUTH);
    answer.authorize(invite, challengeOf(invite, 401, REALM_A), 0);
    const field = answer.authorize(invite, challengeOf(invite, 401, value), attempt);
    expect(field !== undefined).toBe(isAnswered);
  });

  it("learns the realm from the INVITE that opens a call, and signs for no other one", () => {
    const answer = new ChallengeAnswer(AUTH);
    const bye = requestOf("BYE", "t");
    const reinvite = requestOf("INVITE", "t");
    // Before any call was opened nothing is signed.
    expect(answer.authorize(bye, challengeOf(bye, 407, REALM_A), 0)).toBeUndefined();
    expect(answer.authorize(reinvite, challengeOf(reinvite, 407, REALM_A), 0)).toBeUndefined();
    const invite = requestOf("INVITE");
    expect(answer.authorize(invite, challengeOf(invite, 407, REALM_A), 0)).toBeDefined();
    expect(answer.authorize(bye, challengeOf(bye, 407, REALM_A), 0)).toBeDefined();
    const foreign = 'realm="carrier.test", nonce="8B05", algorithm=MD5';
    expect(answer.authorize(bye, challengeOf(bye, 407, foreign), 0)).toBeUndefined();
    expect(answer.authorize(invite, challengeOf(invite, 401, foreign), 0)).toBeUndefined();
  });
});

describe("RFC 3261 §22.3 challenges in several realms", () => {
  const other = 'realm="b", nonce="n2", algorithm=MD5, qop="auth"';

  it("the one in the trunk's realm is answered, wherever it stands", () => {
    const answer = new ChallengeAnswer(AUTH);
    const invite = requestOf("INVITE");
    answer.authorize(invite, challengeOf(invite, 407, REALM_A), 0);
    const field = answer.authorize(invite, challengeOf(invite, 407, other, REALM_A), 0);
    expect(tryParseDigestCredentials(field?.[1] ?? "")?.realm).toBe("a");
  });

  it("REGISTER may show one of a proxy and one of the registrar, and no third", () => {
    const answer = new ChallengeAnswer(AUTH);
    const register = requestOf("REGISTER");
    const invite = requestOf("INVITE");
    const third = 'realm="c", nonce="n3", algorithm=MD5, qop="auth"';
    const realmOf = (request: SipRequest, status: number, value: string): string | undefined => {
      const field = answer.authorize(request, challengeOf(request, status, value), 0);
      return tryParseDigestCredentials(field?.[1] ?? "")?.realm;
    };
    expect(realmOf(register, 407, REALM_A)).toBe("a");
    // A call does not teach a second one.
    expect(realmOf(invite, 401, other)).toBeUndefined();
    expect(realmOf(register, 401, other)).toBe("b");
    for (const status of [401, 407]) {
      expect(realmOf(register, status, third)).toBeUndefined();
      expect(realmOf(invite, status, third)).toBeUndefined();
    }
    expect(realmOf(invite, 407, other)).toBe("b");
  });
});
