/**
 * National and international forms of a number, so that a user's `+493012345601` is found whether
 * the call says `+493012345601`, `493012345601`, `004930…` or `030…`.
 */
interface NumberingPlan {
  readonly callingCode: string;
  /** Dialled before a national number; "" when there is none. */
  readonly trunkPrefix: string;
  /** Dialled before a country's code. */
  readonly internationalPrefix: string;
}

// ITU-T E.164 (country codes) and the ITU's list of dialling procedures: ISO code, calling code,
// trunk prefix, international prefix; "-" for no trunk prefix.
const PLANS = `
AE 971 0 00,AR 54 0 00,AT 43 0 00,AU 61 0 0011,BE 32 0 00,BG 359 0 00,BR 55 0 00,CA 1 1 011,CH 41 0 00,
CL 56 - 00,CN 86 0 00,CO 57 - 00,CY 357 - 00,CZ 420 - 00,DE 49 0 00,DK 45 - 00,EE 372 - 00,EG 20 0 00,
ES 34 - 00,FI 358 0 00,FR 33 0 00,GB 44 0 00,GR 30 - 00,HK 852 - 001,HR 385 0 00,HU 36 06 00,ID 62 0 001,
IE 353 0 00,IL 972 0 00,IN 91 0 00,IS 354 - 00,IT 39 - 00,JP 81 0 010,KE 254 0 000,KR 82 0 001,LI 423 - 00,
LT 370 0 00,LU 352 - 00,LV 371 - 00,MA 212 0 00,MC 377 - 00,MT 356 - 00,MX 52 - 00,MY 60 0 00,NG 234 0 009,
NL 31 0 00,NO 47 - 00,NZ 64 0 00,PE 51 0 00,PH 63 0 00,PK 92 0 00,PL 48 - 00,PT 351 - 00,RO 40 0 00,
RS 381 0 00,SA 966 0 00,SE 46 0 00,SG 65 - 000,SI 386 0 00,SK 421 0 00,TH 66 0 001,TR 90 0 00,TW 886 0 002,
UA 380 0 00,US 1 1 011,VN 84 0 00,ZA 27 0 00`;

const planByCountry = new Map<string, NumberingPlan>(
  PLANS.trim()
    .split(/,\s*/)
    .map((row) => {
      const [country = "", callingCode = "", trunkPrefix = "", internationalPrefix = ""] =
        row.split(" ");
      return [
        country,
        { callingCode, trunkPrefix: trunkPrefix === "-" ? "" : trunkPrefix, internationalPrefix },
      ];
    }),
);

/** The countries whose numbers can be read: ISO 3166 codes, upper case. */
export const knownCountries: readonly string[] = [...planByCountry.keys()];

const MAX_LENGTH = 40;
const PLUS = 0x2b;

/** Whether one digit at least, and nothing else, begins at `start`. */
function isDigits(text: string, start: number): boolean {
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return text.length > start;
}

/**
 * Every E.164 number that a dialled or presented number may stand for, the likeliest first.
 *
 * @param country ISO 3166 code; undefined: only `+…`, and the same without its `+`, is understood
 * @returns empty when the text is not a number
 */
export function e164Candidates(number: string, country: string | undefined): readonly string[] {
  // One decision asks for the same number several times.
  if (number === lastNumber && country === lastCountry) return lastCandidates;
  lastCandidates = candidatesOf(number, country);
  lastNumber = number;
  lastCountry = country;
  return lastCandidates;
}

let lastNumber: string | undefined;
let lastCountry: string | undefined;
let lastCandidates: readonly string[] = [];

function candidatesOf(number: string, country: string | undefined): readonly string[] {
  if (number.length > MAX_LENGTH) return [];
  const hasDigitsAlone = isDigits(number, 0);
  // RFC 3966 §3: visual separators carry no meaning.
  const plain = hasDigitsAlone ? number : number.replace(/[-.() ]/g, "");
  if (!hasDigitsAlone) {
    if (plain.charCodeAt(0) === PLUS && isDigits(plain, 1)) return [plain];
    if (!isDigits(plain, 0)) return [];
  }
  const candidates: string[] = [];
  const plan = country === undefined ? undefined : planByCountry.get(country);
  if (plan !== undefined) {
    const { callingCode, trunkPrefix, internationalPrefix } = plan;
    if (plain.startsWith(internationalPrefix)) {
      candidates.push(`+${plain.slice(internationalPrefix.length)}`);
    } else if (trunkPrefix === "") {
      candidates.push(`+${callingCode}${plain}`);
    } else if (plain.startsWith(trunkPrefix)) {
      candidates.push(`+${callingCode}${plain.slice(trunkPrefix.length)}`);
    } else if (callingCode === "1" && plain.length === 10) {
      // NANP: the 1 before a ten-digit number may be left out.
      candidates.push(`+1${plain}`);
    }
  }
  // Many carriers send E.164 without its plus sign.
  candidates.push(`+${plain}`);
  return candidates;
}
