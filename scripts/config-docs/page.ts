/** docs/configuration.md without its tables, which are made from the schema. */
export const CONFIGURATION_PAGE = `<!-- Made by scripts/generate-config-docs.ts from the schema. Change the text there. -->

# Configuration

The gateway reads the file that \`--config FILE\` names; without it \`offhook.yaml\` in the working directory; without that it runs the built-in demo. The file is YAML 1.2. \`npx offhook check\` tells every mistake with its line, column and key, and runs the tests of the dialplan. It is read again when it changes (\`reload.watch\`), at \`SIGHUP\` and by the API; a wrong file is refused as a whole, and the old one stays in use. \`npx offhook dialplan diff\` says beforehand which calls would go elsewhere, \`rollback\` goes back to an earlier plan ([what is in force](api.md#which-plan-is-in-force)).

Editors that know JSON Schema (for example with the YAML language server) complete and check the file when its first line is:

\`\`\`yaml
# yaml-language-server: $schema=./docs/offhook.schema.json
\`\`\`

## Three lines

Every key has a default, so this is a whole file:

\`\`\`yaml
trunks:
  office:
    peer: sip:192.0.2.20:5060
\`\`\`

- The demo's users 1001 and 1002 are there, because \`users\` is missing. Their passwords are made at the first start, kept in \`data/demo.json\` and shown in the terminal, with an admin token for the API.
- The built-in plan is there, because \`dialplan\` is missing: \`*43\` echo test, \`*44\` announcement, \`*45\` reads digits back; users call each other by id or number; with exactly one trunk, everything else that a user dials goes to that trunk. Calls from a trunk ring users by id or number, and never go out again.
- SIP listens on UDP and TCP port 5060 of the machine's own address, because the peer is another machine; media uses the same address. With peers on this machine, and without trunks, both are 127.0.0.1.
- Calls are taken only from where \`peer\` resolves to.

## Writing values

- **Text** needs quotes when YAML would read it otherwise: \`"*43"\`, \`"@users"\`, \`"_0Z."\`, \`"[2-5]"\`. Numbers need none: \`1001:\`, \`0301\`, \`off\` mean what they look like, and leading zeros stay.
- **Durations** are a number and a unit: \`500ms\`, \`20s\`, \`5m\`, \`1h\`, \`1d\`.
- **Environment**: \`\${NAME}\` in a value is taken from the environment; a variable that is not set is a mistake. \`\${NAME:-default}\` has a default for when it is not set or empty. \`$\${\` stands for a plain \`\${\`. Keys are not touched.
- **Lists** of one may be written without brackets: \`to: "*43"\` is \`to: ["*43"]\`.
- **Empty** values, \`~\` and \`null\` count as absent.
- **Paths** of files are relative to the configuration file.
- **Anchors**, aliases and \`<<\` work as in YAML; aliases may unfold to 200,000 values at most, and a file may have 16 MiB.
- **Unknown keys** are mistakes, with the key that was probably meant.

Some keys are valid although this version does not act on them yet; \`check\` and the start print one warning for each, which says what happens instead.

## Keys

%TABLES%

## UDP, TCP and TLS toward peers

\`transport=udp\`, \`tcp\` or \`tls\` in a trunk's \`peer\`, or \`sips:\`, says how calls go out. Without it they go over UDP (or as the DNS says), and a request above 1300 octets over TCP, as RFC 3261 wants it, if \`sip.listen\` has a \`tcp:\` listener; a peer that refuses TCP gets it over UDP after all.

- There is one connection to each address, port and TLS name; calls share it. It is opened by the first call, kept alive by pings, and opened again when it is gone. A peer that calls us may use its own.
- Over TLS (1.2 and later) the peer's certificate must name the host of \`peer\`, or \`tls.name\`: among its alternative names if it has any, without wildcards (RFC 5922). When it does not, nothing is sent, the log says whom it names, and the call goes to the next server or trunk, or ends with 503.
- Calls that come in are told by their address over every transport; of several trunks at one address, by the name in the certificate that the caller shows.
- Renewed certificates, those of \`http.tls\` too, are read at \`SIGHUP\`: new connections use them, no call is dropped. A wrong one is refused and the old one stays.
- One address may have 100 connections to us, the first message must come within 10 s, each message within 10 s of its first octet, and whoever does not read is cut off.

## Peers with several servers

The name in a trunk's \`peer\` leads to its servers as RFC 3263 says: a name without port by NAPTR and SRV, each server's name by A and AAAA. \`/etc/hosts\` is read as well; no search domain is added, and \`.local\` names of mDNS are not found.

- A new call goes to the first server by priority and weight. It goes on to the next one after a 503, a transport error, or when nothing comes back for \`failover-after\`; never after another refusal, and never once a phone has rung.
- A server that failed is called last for 30 s, doubled by each further failure up to 5 min, or for as long as its \`Retry-After\` says. With \`ping\`, every server gets OPTIONS, so that it is known before a call meets it.
- Name servers are asked before their answers run out, never by a call. While they fail, the last answer is used for up to 24 h.

## Who is shown, and what crosses

Nothing that a browser or a peer says of a caller is believed but what follows.

- **A web user** is shown to colleagues by id and name, to trunks by the first of its \`numbers\`. A phone chooses another one of them with \`P-Preferred-Identity\`; a number that is not the user's is passed over. \`caller\` and \`caller-from\` of a route go first.
- **A caller from a trunk** is shown by From; with \`trust: true\` by P-Asserted-Identity, else Remote-Party-ID, and only then by From. Diversion and History-Info count only there too.
- **Withheld numbers**: \`Privacy: id\` of a phone, \`caller: anonymous\` in a route (a prefix for it: \`to: '/^\\*31#(.+)$/'\`, \`do: { dial: office, number: $1, caller: anonymous }\`), or Privacy, Remote-Party-ID or From of a trunk's caller. Phones and trunks then see \`anonymous@anonymous.invalid\` with \`Privacy: id\`; a trunk with \`trust: true\` also gets the number in its identity header, because it has to answer for it. Routes see no number of such a caller, and records show none. Emergency calls always show it.
- **Forwards** (\`forward\`, \`voicemail\`) are told by Diversion or History-Info, with the number of who forwarded and why.
- **Numbers** are written in the peer's way with \`number-format\`: what begins with + or 0 and is a number of the plan's country is converted, the called one after the route has rewritten it, and the calling one.
- **Headers** of a caller's INVITE stay behind. \`headers\` of a trunk names those that cross: \`X-…\` and a few others that route nothing, prove nothing and fetch nothing. The record of a call shows them at the leg that got them. Via, Route, Contact, Call-ID, tags and credentials never cross, and cannot be named.

\`\`\`yaml
trunks:
  carrier:
    peer: sip:sip.carrier.example
    trust: true
    number-format: e164
    from-domain: peer
    diversion: both
    headers: { to-trunk: [X-Customer, X-Crm-*], from-trunk: [User-to-User] }
\`\`\`

## Floods, scanners and overload

- **Before anybody has signed in nothing is kept.** A challenge carries all that is needed to check its answer; a stranger's request is answered and forgotten.
- **One address** may ask \`limits.requests\`. What is too much gets no answer over UDP, and 503 with \`Retry-After\` on a connection; who goes on is banned: its datagrams are not read, its connections are closed. The log, the metrics and \`GET /api/v1/bans\` show it. Trunks and users who have signed in are not shut out by it ([why](adr/0007-who-may-be-shut-out.md)).
- **Behind a reverse proxy** every phone has the proxy's address: one on the same machine is exempt already; name another one in \`limits.exempt\`.
- **Scanners** that say who they are get no answer at all.
- **An overloaded gateway** rations new calls and new sign-ins to what gets done, by the queues at its event loop and at rtpengine, and refuses the others with 503 and a random \`Retry-After\`; calls in progress go on, and \`/readyz\` says 503. \`limits.overload\` says when that begins.
- **Everybody at once**, after a restart or a power cut: WebSocket connections are completed at the pace of \`limits.max-connections-per-second\`.

## The dialplan

Who may call what, and where it goes, has a page of its own: [dialplan.md](dialplan.md).
`;
