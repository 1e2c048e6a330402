const SEPARATORS = "-.() ";
const DIGITS = "0123456789*#+";

/**
 * What a caller dialled: the user part of the Request-URI, a telephone number without its visual
 * separators. A rule of the dialplan that refuses `00882…` would else let `00-882…` pass, and a
 * carrier reads both alike.
 */
export function dialledNumber(user: string): string {
  let number = "";
  for (const character of user) {
    // RFC 3966 §5.1.1: visual separators are not part of the number.
    if (SEPARATORS.includes(character)) continue;
    if (!DIGITS.includes(character)) return user;
    number += character;
  }
  return number === "" ? user : number;
}
