import { describe, expect, it } from "vitest";
import { type BrowserDevice, devicesOf } from "../../web-phone/src/devices.ts";
import { tryParseDialLink } from "../../web-phone/src/page/dial-link.ts";
import { forwardActions, runAction } from "../../web-phone/src/page/forward.ts";
import { buildReport, EventLog, redact } from "../../web-phone/src/report.ts";
import { readDeviceChoice } from "../../web-phone/src/storage.ts";
import type { PhoneActions } from "../../web-phone/src/ui/actions.ts";
import { inCall } from "./calls.ts";

describe("a telephone link", () => {
  it.each([
    ["?dial=tel%3A%2B442079460018", "+442079460018"],
    ["?dial=tel:+442079460018", "+442079460018"],
    ["?dial=tel:%2B44-20-7946-0018;ext=7", "+44-20-7946-0018"],
    ["?dial=sip%3Abob%40example.com%3Btransport%3Dtcp%3Fsubject%3Dhello", "bob@example.com"],
    ["?dial=web%2Bsip:%2A43", "*43"],
    ["?dial=1002", "1002"],
    ["?dial=tel:%25", "%"],
    ["?dial=", undefined],
    ["?raw-audio=1", undefined],
  ])("%s names %s", (search, number) => {
    expect(tryParseDialLink(search)).toBe(number);
  });
});

describe("what another tab's user wants", () => {
  const done: string[] = [];
  const own = {
    dial: (text?: string) => void done.push(`dial ${text}`),
    swap: () => void done.push("swap"),
    signOut: () => void done.push("signOut"),
  } as unknown as PhoneActions;

  it("goes to the tab that has the phone, except what each does for itself", () => {
    let isElsewhere = true;
    const sent: unknown[] = [];
    const actions = forwardActions(
      own,
      () => isElsewhere,
      (...command) => sent.push(command),
    );
    actions.dial("1002");
    actions.signOut();
    isElsewhere = false;
    actions.swap();
    expect(sent).toEqual([["dial", ["1002"]]]);
    expect(done).toEqual(["signOut", "swap"]);
  });

  it("is done only when it is an action of the phone", () => {
    done.length = 0;
    for (const name of ["constructor", "__proto__", "signOut", "nothing"]) runAction(own, name, []);
    runAction(own, "dial", ["1003"]);
    expect(done).toEqual(["dial 1003"]);
  });
});

describe("the report", () => {
  it("has what happened, and nothing that opens anything or tells who was called", () => {
    const log = new EventLog();
    log.add({ type: "call-started", id: "c1", number: "+442079460018", at: 1 }, 1);
    log.add({ type: "digit-sent", id: "c1", digit: "4" }, 2);
    log.add({ type: "message-written", id: "m", to: "1002", text: "my secret", at: 3 }, 3);
    const state = {
      ...inCall({ number: "+442079460018", name: "Carol Ito", digits: "4711" }),
      draft: "0301234567",
    };
    const origin = { at: 0, userAgent: "Test", page: "http://localhost/" };
    const text = JSON.stringify(buildReport(state, log.entries, origin));
    expect(text).toContain("+442079460…");
    expect(text).toContain("call-started");
    for (const hidden of ["0018", "4711", "Carol", "my secret", "0301234567", "digit-sent"]) {
      expect(text).not.toContain(hidden);
    }
  });

  it.each(["password", "sipPassword", "credential", "Authorization", "icePwd", "fingerprint"])(
    "leaves out %s wherever it stands",
    (key) => {
      expect(redact({ a: [{ [key]: "x", kept: 1 }] })).toEqual({ a: [{ kept: 1 }] });
    },
  );
});

describe("the devices of this computer", () => {
  it("are those with a name of their own", () => {
    const device = (deviceId: string, kind: BrowserDevice["kind"]) => ({
      deviceId,
      kind,
      label: "L",
    });
    const all = [
      device("default", "audioinput"),
      device("communications", "audioinput"),
      device("", "audioinput"),
      device("m", "audioinput"),
      device("s", "audiooutput"),
      device("c", "videoinput"),
    ];
    expect(devicesOf(all, "audioinput")).toEqual([{ id: "m", label: "L" }]);
    expect(devicesOf(all, "audiooutput")).toEqual([{ id: "s", label: "L" }]);
  });

  it.each([undefined, 7, { microphone: 7, processing: "x" }])(
    "%j is read as no choice",
    (stored) => {
      const choice = readDeviceChoice(stored);
      expect(choice).toMatchObject({ microphone: "", processing: { echoCancellation: true } });
    },
  );
});
