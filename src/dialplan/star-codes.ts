import type { CallContext } from "./call-context.ts";
import type { SettingChange } from "./decision.ts";
import type { StarCodesSource } from "./source.ts";
import { FORWARD_NUMBER, type ForwardKind } from "./user-settings.ts";

/** The codes of a file that says nothing: those that Asterisk's distributions have. */
export const USUAL_STAR_CODES: StarCodesSource = {
  doNotDisturb: { on: "*78", off: "*79" },
  forwardAlways: { on: "*72", off: "*73" },
  forwardBusy: { on: "*90", off: "*91" },
  forwardNoAnswer: { on: "*92", off: "*93" },
};

type Setting = SettingChange["setting"];

interface Code {
  readonly code: string;
  readonly setting: Setting;
  readonly isOn: boolean;
}

/**
 * Reads what a user dials to set something for its own calls. A code that a route of the plan names
 * in its `to`, alone or as the beginning of a pattern, is the plan's.
 */
export class StarCodes {
  readonly #codes: readonly Code[];

  /** @param named what the routes name in `to` */
  constructor(source: StarCodesSource, named: readonly string[]) {
    const pairs = [
      ["do-not-disturb", source.doNotDisturb],
      ["forward-always", source.forwardAlways],
      ["forward-busy", source.forwardBusy],
      ["forward-no-answer", source.forwardNoAnswer],
    ] as const;
    const isPlans = (code: string): boolean =>
      named.some((to) => to === code || to.startsWith(`_${code}`));
    this.#codes = pairs
      .flatMap(([setting, pair]): Code[] =>
        pair === undefined
          ? []
          : [
              { code: pair.on, setting, isOn: true },
              { code: pair.off, setting, isOn: false },
            ],
      )
      .filter(({ code }) => !isPlans(code))
      // Of two codes that begin alike the longer one is meant.
      .toSorted((a, b) => b.code.length - a.code.length);
  }

  /** What can be set: by users themselves, whichever way. */
  get settable(): readonly Setting[] {
    return [...new Set(this.#codes.filter(({ isOn }) => isOn).map(({ setting }) => setting))];
  }

  /**
   * @param isAllowed whether the user may call a number
   * @returns undefined when it is a number like any other
   */
  read(context: CallContext, isAllowed: (number: string) => boolean): SettingChange | undefined {
    const { from, to } = context.query;
    // Users of a PBX set things there.
    if (from.kind !== "user" || !context.directory.has(from.id)) return undefined;
    for (const { code, setting, isOn } of this.#codes) {
      if (!to.startsWith(code)) continue;
      const change = { user: from.id, setting, isOn };
      if (setting === "do-not-disturb" || !isOn) {
        if (to === code) return change;
        continue;
      }
      const kind = kindOf(setting);
      const dialled = to.slice(code.length);
      // After *21*… a telephone ends the number with #.
      const number =
        dialled === ""
          ? context.facts.settingsOf?.(from.id)?.forwards[kind]?.number
          : dialled.endsWith("#")
            ? dialled.slice(0, -1)
            : dialled;
      if (number === undefined || !FORWARD_NUMBER.test(number)) {
        return { ...change, refused: "no number" };
      }
      return isAllowed(number)
        ? { ...change, number }
        : { ...change, number, refused: "not allowed" };
    }
    return undefined;
  }
}

export function kindOf(setting: Exclude<Setting, "do-not-disturb">): ForwardKind {
  switch (setting) {
    case "forward-always":
      return "always";
    case "forward-busy":
      return "busy";
    case "forward-no-answer":
      return "no-answer";
  }
}
