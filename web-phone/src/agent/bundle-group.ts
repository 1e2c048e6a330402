/**
 * Keeps the BUNDLE group of a connection (RFC 8843) in what the far end says. A gateway with a port
 * for each section leaves the group out as soon as there are two, and Chromium takes no description
 * that removes a section from a group that stands.
 */

const GROUP = /^a=group:BUNDLE .*$/m;

/**
 * @param sdp     of the far end
 * @param settled the last answer that both sides agreed on, whoever wrote it
 */
export function keepBundleGroup(sdp: string, settled: string | undefined): string {
  const group = GROUP.exec(settled ?? "")?.[0]?.trim();
  if (group === undefined || GROUP.test(sdp)) return sdp;
  return sdp.replace(/^t=.*$/m, (timing) => `${timing}\r\n${group}`);
}
