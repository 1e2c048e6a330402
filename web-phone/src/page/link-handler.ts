/**
 * Asks the browser to open telephone links with this phone; to be called in a click.
 *
 * @param server the phone's own address, with a slash at its end
 */
export function registerDialLinks(server: URL): void {
  for (const scheme of ["tel", "sip"]) {
    try {
      navigator.registerProtocolHandler(scheme, `${server.href}?dial=%s`);
    } catch {
      // This browser keeps the scheme to itself.
    }
  }
}
