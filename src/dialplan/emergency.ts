/**
 * Emergency numbers by country, as published by the ITU (E.129) and the countries themselves: they
 * are dialled without any prefix, and every user may always call them.
 */
const NUMBERS = `
AE 112 997 998 999,AR 101 107 100 911,AT 112 122 133 144,AU 000 112 106,BE 112 101 100,BG 112,BR 190 192 193 112,
CA 911 112,CH 112 117 118 144,CL 131 132 133 112,CN 110 119 120,CO 123 112,CY 112 199,CZ 112 150 155 158,
DE 112 110,DK 112,EE 112,EG 122 123 180 112,ES 112 061 062 080 091,FI 112,FR 112 15 17 18 114,GB 999 112,
GR 112 100 166 199,HK 999 112,HR 112 192 193 194,HU 112 104 105 107,ID 112 110 113 118,IE 112 999,
IL 100 101 102 112,IN 112 100 101 102 108,IS 112,IT 112 113 115 118,JP 110 119 118,KE 999 112,KR 112 119,
LI 112 117 118 144,LT 112,LU 112 113,LV 112,MA 19 15 112,MC 112 15 17 18,MT 112,MX 911,MY 999 112,NG 112 199,
NL 112,NO 112 110 113,NZ 111 112,PE 105 106 116 112,PH 911 112,PK 15 16 115 1122,PL 112 997 998 999,PT 112,
RO 112,RS 112 192 193 194,RU 112 101 102 103,SA 911 999 997 998,SE 112,SG 999 995 112,SI 112 113,
SK 112 150 155 158,TH 191 199 1669,TR 112,TW 110 119 112,UA 112 101 102 103,US 911 112,VN 113 114 115 112,
ZA 10111 10177 112`;

const byCountry = new Map<string, ReadonlySet<string>>(
  NUMBERS.trim()
    .split(/,\s*/)
    .map((row) => {
      const [country = "", ...numbers] = row.split(" ");
      return [country, new Set(numbers)];
    }),
);

/** GSM 02.30: everywhere else a mobile telephone would still get through by 112. */
const ANYWHERE: ReadonlySet<string> = new Set(["112"]);
const NONE: ReadonlySet<string> = new Set();

/** The numbers of a country; none without one. */
export function emergencyNumbers(country: string | undefined): ReadonlySet<string> {
  return country === undefined ? NONE : (byCountry.get(country) ?? ANYWHERE);
}
