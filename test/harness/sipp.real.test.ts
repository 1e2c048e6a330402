import { describe, expect, it } from "vitest";

import { Sipp } from "./sipp.ts";

describe("sipp calls sipp", () => {
  it("completes a call that the caller ends", async () => {
    await using uas = await Sipp.start({ scenario: "uas-echo" });
    await using uac = await Sipp.start({
      scenario: "uac-call",
      remote: uas.address,
      service: "600",
      values: { talk_ms: 200 },
    });
    expect(await uac.finished()).toMatchObject({ code: 0, successfulCalls: 1, failedCalls: 0 });
    expect(await uas.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uas.received()).toEqual(["INVITE", "ACK", "BYE"]);
    expect(await uac.received()).toEqual(["180", "200", "200"]);
    const answer = await uac.waitForMessage("received", "200");
    expect(answer.text).toContain("a=rtpmap:101 telephone-event/8000");
    expect(answer.text).toContain("a=sendrecv");
  });

  it("completes a call that the callee ends", async () => {
    await using uas = await Sipp.start({ scenario: "uas-hangs-up", values: { talk_ms: 200 } });
    await using uac = await Sipp.start({ scenario: "uac-call", remote: uas.address });
    expect(await uac.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uas.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uac.received()).toContain("BYE");
  });

  it("holds and resumes five times by re-INVITE, each answered in kind", async () => {
    await using uas = await Sipp.start({
      scenario: "uas-hold",
      values: { hold_ms: 100, talk_ms: 300 },
    });
    await using uac = await Sipp.start({
      scenario: "uac-call",
      remote: uas.address,
      values: { talk_ms: 5000 },
    });
    expect(await uas.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uac.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    const answers = (await uac.messages()).filter(
      (m) => m.direction === "sent" && m.what === "200" && m.text.includes("v=0"),
    );
    expect(answers.map((m) => /a=(\w*(?:recv|send)\w*)/.exec(m.text)?.[1])).toEqual(
      Array.from({ length: 5 }, () => ["recvonly", "sendrecv"]).flat(),
    );
  });

  it("plays early media before the answer", async () => {
    await using uas = await Sipp.start({ scenario: "uas-early-media", values: { ring_ms: 100 } });
    await using uac = await Sipp.start({
      scenario: "uac-call",
      remote: uas.address,
      values: { talk_ms: 100 },
    });
    expect(await uac.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uac.received()).toEqual(["183", "200", "200"]);
  });

  it.each([
    { values: {}, status: "486" },
    { values: { status: 603, reason: "Decline" }, status: "603" },
  ])("is refused with $status", async ({ values, status }) => {
    await using uas = await Sipp.start({ scenario: "uas-busy", values });
    await using uac = await Sipp.start({ scenario: "uac-refused", remote: uas.address });
    expect(await uac.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uas.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uac.received()).toEqual(["180", status]);
  });

  it("cancels a call that nobody answers", async () => {
    await using uas = await Sipp.start({ scenario: "uas-no-answer" });
    await using uac = await Sipp.start({
      scenario: "uac-cancels",
      remote: uas.address,
      values: { ring_ms: 100 },
    });
    expect(await uac.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uas.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await uas.received()).toEqual(["INVITE", "CANCEL", "ACK"]);
  });

  it("gets nothing at all from a peer that never answers", async () => {
    await using uas = await Sipp.start({ scenario: "uas-never-answers" });
    await using uac = await Sipp.start({ scenario: "uac-call", remote: uas.address });
    await uac.waitForMessage("sent", "INVITE", 1);
    expect(await uac.received()).toEqual([]);
  });

  it("calls from another address", async () => {
    await using uas = await Sipp.start({ scenario: "uas-echo" });
    await using uac = await Sipp.start({
      scenario: "uac-call",
      remote: uas.address,
      localHost: "127.0.0.99",
      values: { talk_ms: 100, caller: "0301234" },
    });
    expect(await uac.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    const invite = await uas.waitForMessage("received", "INVITE");
    expect(invite.text).toContain("<sip:0301234@127.0.0.99:");
  });

  it("refuses a value that the scenario has no place for", async () => {
    await expect(Sipp.start({ scenario: "uas-busy", values: { tlak_ms: 1 } })).rejects.toThrow(
      "no place for tlak_ms",
    );
  });
});
