/**
 * Stands in for the session description handler that SIP.js brings along. The build puts this file
 * in the place of its factory (`vite.sip.ts`): the phone always gives its own, in
 * `description-handler.ts`, and nobody is to load the other.
 */
export function defaultSessionDescriptionHandlerFactory(): () => never {
  return () => {
    throw new Error("The phone gives its own session description handler.");
  };
}
