/** Spaces in telephone numbers, as their country writes them. Loaded when a number is long enough. */
import { AsYouType, type CountryCode, isSupportedCountry } from "libphonenumber-js/min";

/** The region of the first language that names one: `en-GB` → `GB`. */
export function regionOf(languages: readonly string[]): CountryCode | undefined {
  for (const tag of languages) {
    const region = tag.split("-").find((part, index) => index > 0 && /^[A-Za-z]{2}$/.test(part));
    const country = region?.toUpperCase();
    if (country !== undefined && isSupportedCountry(country)) return country;
  }
  return undefined;
}

/** `+442079460018` → `+44 20 7946 0018`; anything that is no number stays as it is. */
export function formatTyped(text: string, languages: readonly string[]): string {
  if (!/^\+?\d{4,}$/.test(text)) return text;
  return new AsYouType(regionOf(languages)).input(text);
}
