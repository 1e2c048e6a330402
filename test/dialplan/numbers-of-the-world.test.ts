import { describe, expect, it } from "vitest";

import { tryParseNumber } from "../../src/dialplan/e164.ts";
import { mayBeCostly } from "../../src/dialplan/costly-numbers.ts";
import { classify } from "../../src/dialplan/number-class.ts";
import { emergencyNumbers } from "../../src/dialplan/emergency.ts";

/**
 * Thirty countries: what people there dial for a line of their own capital, for a mobile telephone
 * at home and for numbers abroad, each with the number that it reaches.
 *
 * country, prefix for abroad, fixed line as dialled, the same as E.164, mobile as dialled, E.164
 */
const COUNTRIES = `
DE 00 030/227-0 +49302270 0170-1234567 +491701234567
AT 00 01-40110 +43140110 0664-1234567 +436641234567
CH 00 031-3227111 +41313227111 079-1234567 +41791234567
FR 00 01.42.92.81.00 +33142928100 06.12.34.56.78 +33612345678
BE 00 02-5017411 +3225017411 0470-123456 +32470123456
NL 00 070-3183000 +31703183000 06-12345678 +31612345678
LU 00 2478-1 +35224781 621-123456 +352621123456
GB 00 020-72193000 +442072193000 07400-123456 +447400123456
IE 00 01-6183000 +35316183000 085-0123456 +353850123456
ES 00 91-3906000 +34913906000 612-345678 +34612345678
PT 00 213919000 +351213919000 912-345678 +351912345678
IT 00 06-67601 +390667601 312-3456789 +393123456789
DK 00 33375500 +4533375500 20-123456 +4520123456
NO 00 23313050 +4723313050 406-12345 +4740612345
SE 00 08-7864000 +4687864000 070-1234567 +46701234567
FI 00 09-4321 +35894321 041-2345678 +358412345678
PL 00 22-6942500 +48226942500 512-345678 +48512345678
CZ 00 257171111 +420257171111 601-123456 +420601123456
HU 00 06-1-4414000 +3614414000 06-20-1234567 +36201234567
GR 00 210-3707000 +302103707000 691-2345678 +306912345678
TR 00 0312-4205000 +903124205000 0501-2345678 +905012345678
US 011 202-456-1414 +12024561414 1-201-555-0123 +12015550123
CA 011 613-992-4793 +16139924793 1-506-234-5678 +15062345678
AU 0011 02-62777111 +61262777111 0412-345678 +61412345678
NZ 00 04-8179999 +6448179999 021-1234567 +64211234567
JP 010 03-35814111 +81335814111 090-12345678 +819012345678
IN 00 011-23034000 +911123034000 081234-56789 +918123456789
SG 000 63326868 +6563326868 8123-4567 +6581234567
ZA 00 021-4032911 +27214032911 071-1234567 +27711234567
IL 00 02-6753333 +97226753333 050-2345678 +972502345678`
  .trim()
  .split("\n")
  .map((row) => row.split(" "));

const rows = COUNTRIES.flatMap(
  ([country = "", abroad = "", fixed = "", fixedE164 = "", mobile = "", mobileE164 = ""]) => {
    const berlin = country === "DE" ? "+41313227111" : "+49302270";
    const tokyo = country === "JP" ? "+6448179999" : "+81335814111";
    return [
      [country, fixed, fixedE164],
      [country, fixed.replace(/[-./]/g, ""), fixedE164],
      [country, mobile, mobileE164],
      [country, mobile.replaceAll("-", " "), mobileE164],
      [country, fixedE164, fixedE164],
      [country, `${abroad}${berlin.slice(1)}`, berlin],
      [country, `${abroad} ${tokyo.slice(1)}`, tokyo],
    ] as const;
  },
);

describe("numbers of thirty countries, as dialled there", () => {
  it("are two hundred and ten", () => {
    expect([COUNTRIES.length, rows.length]).toEqual([30, 210]);
  });

  it.each(rows)("%s %s is %s", (country, dialled, e164) => {
    expect(tryParseNumber(dialled, { country, areaCode: undefined })?.e164).toBe(e164);
  });

  it.each(COUNTRIES.map(([country = "", , fixed = "", , mobile = ""]) => [country, fixed, mobile]))(
    "%s has %s as a line of its own and %s as a mobile",
    (country, fixed, mobile) => {
      const home = { country, areaCode: undefined };
      expect(classify(fixed, fixed, home).class).toBe("national");
      // These plans do not tell mobile telephones apart.
      const isUndivided = ["US", "CA", "DK"].includes(country);
      expect(classify(mobile, mobile, home).class).toBe(isUndivided ? "national" : "mobile");
      expect(mayBeCostly(tryParseNumber(fixed, home)?.e164 ?? "")).toBe(false);
      expect(emergencyNumbers(country).size).toBeGreaterThan(0);
    },
  );
});

describe("what is no number", () => {
  const home = { country: "DE", areaCode: undefined };
  it.each(["++4930123456", "+", "030CALL", "٠٣٠١٢٣٤٥٦", "", "1".repeat(41), "+4930123456x1", "12"])(
    "%j",
    (text) => {
      expect(tryParseNumber(text, home)).toBeUndefined();
    },
  );

  it("needs its plus where no country is known", () => {
    const nowhere = { country: undefined, areaCode: undefined };
    expect(tryParseNumber("030123456", nowhere)).toBeUndefined();
    expect(tryParseNumber("+4930123456", nowhere)?.e164).toBe("+4930123456");
  });
});
