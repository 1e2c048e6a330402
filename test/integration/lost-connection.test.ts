import { describe, expect, it } from "vitest";

import { waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import {
  callDesk,
  liveCalls,
  reasonOf,
  talkToDesk,
  talkToUser,
  useOffice,
  useRecords,
} from "./support.ts";

const office = useOffice();
const theRecord = useRecords(office);

/** The gateway has seen that the browser of its one call is away, and keeps the call. */
async function connectionLost(): Promise<void> {
  const { gateway } = office();
  await waitFor(
    async () => {
      const { body } = await gateway.api("/api/v1/calls");
      return JSON.stringify(body).includes('"connection lost"');
    },
    { what: "the call to note that its connection is lost" },
  );
  expect(await liveCalls(gateway)).toHaveLength(1);
}

describe("a browser's connection goes", () => {
  it("while it calls: it comes back as the same instance and hears the answer", async () => {
    const { gateway } = office();
    await using first = await WsCaller.signIn(gateway, "1001");
    const [call, leg] = await callDesk(office(), first);
    leg.respond(180);
    await call.expectResponse(180);
    await first.cut();
    await using again = await WsCaller.signIn(gateway, "1001", { sameAs: first });
    const resumed = again.resume(call);
    await leg.answer();
    await resumed.answered();
    const ended = resumed.bye();
    await leg.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success", end: { by: "caller" } });
  });

  it("while it calls and for good: the trunk's phone stops ringing", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    leg.respond(180);
    await call.expectResponse(180);
    await caller.cut();
    await waitFor(() => leg.unread.includes("CANCEL"), { what: "CANCEL", timeoutMs: 15_000 });
    expect(reasonOf(await leg.cancelled())).toContain("Q.850;cause=27");
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 487, q850: 27, by: "caller" } });
  });

  it("in the call: the call stays, and the trunk can end it", async () => {
    const { gateway } = office();
    await using caller = await WsCaller.signIn(gateway, "1001");
    const [, leg] = await talkToDesk(office(), caller);
    await caller.cut();
    await connectionLost();
    leg.dialog.request("OPTIONS");
    await leg.expectResponse(200, "OPTIONS");
    await leg.bye();
    expect(leg.unread).not.toContain("BYE");
    expect(await theRecord()).toMatchObject({ result: "success", end: { by: "callee" } });
  });

  it("in the call: it comes back as the same instance and hangs up", async () => {
    const { gateway } = office();
    await using first = await WsCaller.signIn(gateway, "1001");
    const [call, leg] = await talkToDesk(office(), first);
    await first.cut();
    await connectionLost();
    await using again = await WsCaller.signIn(gateway, "1001", { sameAs: first });
    const ended = again.resume(call).bye();
    await leg.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success", end: { by: "caller" } });
  });

  it("in a call that came to it: the trunk can end it", async () => {
    const { gateway } = office();
    await using callee = await WsCaller.signIn(gateway, "1002");
    const [call] = await talkToUser(office(), callee);
    await callee.cut();
    await connectionLost();
    await call.bye();
    expect(await theRecord()).toMatchObject({ result: "success", end: { by: "caller" } });
  });
});
