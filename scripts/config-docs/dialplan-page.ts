/** docs/dialplan.md without what is made from the schema and by the dialplan itself. */
export const DIALPLAN_PAGE = `<!-- Made by scripts/generate-config-docs.ts from the schema. Change the text there. -->

# The dialplan

The routes are tried from the top; the first whose conditions all hold decides. When none does, the call ends with 404. \`npx offhook route --from 1001 --to 030123456\` says for each route which condition failed first, what it wanted and what it saw.

## Conditions on numbers

| written | matches |
| --- | --- |
| \`"*43"\` | exactly this |
| \`"_0Z."\` | a pattern: \`X\` is 0 to 9, \`Z\` 1 to 9, \`N\` 2 to 9, \`[2-5]\` or \`[13-5]\` one of a set; at the end \`.\` is one or more of anything, \`!\` zero or more. Spaces and \`-\` only make it easier to read. \`[.]\` is a dot, \`[X]\` the letter X |
| \`"/^(10[0-9]+)$/"\` | a regular expression (RE2 syntax, linear time; \`/…/i\` ignores case). Its groups are \`$1\` to \`$9\` in \`ring\` and \`caller\`; \`$0\` is all that it found |
| \`"@users"\` | only in \`to\`: the id or a number of a web user |

A number of a user is found in every way to write it: \`+493012345601\`, \`493012345601\`, and with \`country: DE\` also \`00493012345601\` and \`03012345601\`. \`from.number\` is compared in the same way. Literals, patterns and expressions in \`to\` see exactly what was dialled.

Several users may have the same number: then they ring together. An id comes before a number.

\`from.number\` also takes \`anonymous\`: the caller shows no number. \`class\` looks at what kind of number was dialled, see below. \`headers\` looks at header fields of a trunk's INVITE, of those that \`dialplan.headers\` names; what a browser sends is never looked at. \`state\` looks at what users do now: \`{ "1001": busy }\`, \`{ "@to": [idle, busy] }\`.

## Conditions on time

\`at.days\` takes \`mon\` to \`sun\`, ranges (\`mon-fri\`, \`fri-mon\`) and lists (\`mon,wed\`). \`at.hours\` takes ranges of the 24-hour clock; the end is not included, and \`22:00-06:00\` runs over midnight. Both look at the same moment: on Saturday at 03:00 the day is Saturday. \`at.dates\` takes dates of one year (\`2026-12-24\`), of every year (\`12-24\`) and ranges of either (\`12-24..01-06\`, both ends included). \`at.holidays\` and \`at.except\` name lists under \`dialplan.holidays\`. \`at.time-zone\` is a clock of the route's own. Clocks follow daylight saving: an hour that is skipped is in no range, one that comes twice is in it twice.

## Actions

\`ring\` calls browsers: users, \`{ group: sales }\`, or either with a delay, \`{ user: "1002", after: 10s }\`. \`by: sequence\` rings one after the other for \`each\`, \`round-robin\` begins with another user at every call, \`longest-idle\` with who has been free the longest; \`timeout\` is for all together.

\`dial\` calls out over trunks: in order, \`by: weight\`, or \`by: least-cost\` as \`dialplan.rates\` says (the longest prefix counts; a trunk without a price comes last). The next trunk is tried when the trunk failed, not when the callee was busy. The number is the dialled one, or \`number\`, then rewritten by \`format\`, \`replace\`, \`strip\` and \`prepend\`, in this order. \`format\` reads it as the caller's home dials it (\`country\` and \`area-code\` of the user, else of the dialplan). \`caller-from\` presents only numbers of its list.

\`voicemail\` dials the voicemail behind a trunk and tells it whose messages it takes and why (Diversion, RFC 5806); a number that is neither the file's nor a user's must be one that the caller may dial. \`forward\` decides anew, as if the number had been dialled by the user that forwards: its rights, its limits, its number. \`go\` lets a set of routes decide; nothing in it holds: 404. \`hang-up\` answers and hangs up. Loops of \`go\` and \`forward\` end with 482.

\`then\` follows when nobody answered: an action, or a list of them. \`on\` follows instead when it names how it ended, by SIP status or by outcome:

| outcome | when |
| --- | --- |
| \`busy\` | 486, 600 |
| \`no-answer\` | 408, 480, 487, or nobody picked up in time |
| \`unreachable\` | no browser signed in, 404, 410, 484, 485, 604, every 5xx |
| \`rejected\` | 603, 403 and every other refusal |

All that follows is decided when the call begins.

When \`ring\` finds no such user at the time of the call, \`then\` follows at once; without \`then\` the call ends with 404. When \`strip\` leaves nothing to dial, it ends with 484. A trunk that the file does not have is passed over when another is in the list, with a warning; alone it is a mistake.

## Hooks

\`ask\` sends a question to a program under \`dialplan.hooks\`, as JSON by POST: \`{ "call", "from": { "kind", "id", "number" }, "to", "route", "hook" }\`. \`X-Offhook-Signature: t=SECONDS,v1=HEX\` signs it: HMAC with SHA-256 and the hook's secret over \`SECONDS.BODY\`. The answer is \`{ "do": ACTION }\` in the words of this page, and may do no more than the caller may. An answer that is late, wrong, no 200 or a redirect leads to \`else\`, without it to 503.

## Safety

- What no route takes ends with 404. A call from a trunk goes out again only where a route says so.
- Numbers have a class: \`internal\` (up to six digits), \`national\`, \`mobile\`, \`international\`, \`premium\` (premium and shared-cost numbers, satellites, costly short numbers, \`dialplan.premium\`), \`emergency\`, \`unknown\`. A number that is too short or too long for its country's plan is premium when nothing but such a number can come of it: \`0900\`, say. Without \`dialplan.allow\`, \`dial\` takes all but premium; with it, what it lists. The number that goes out counts, and the one that was dialled if it is worse. Else the call ends with 403.
- The emergency numbers of the caller's \`country\`, dialled by a user, come before every route, over all trunks or those of \`dialplan.emergency\`: no class and no limit holds them. A user whose id is such a number is not rung by it. \`location\` goes along as Geolocation (RFC 6442). Without a \`country\` none is known, and the routes decide.
- \`limits\` of users, groups, trunks and routes count calls over trunks: at once, begun within a minute, minutes and money a day. A reached one ends the call with 403; a trunk's is passed over. Minutes and money count while a call lasts; one that has begun goes on when a limit is reached meanwhile. Counts live in memory, and begin anew with the process.
- The linter of \`offhook check\` warns of rules that nothing reaches, patterns that cut each other, premium numbers in the file, emergency numbers that do not get out, and rules that no test covers.

## Files and sets

\`dialplan.include\` names files with more \`routes\`, \`sets\`, \`holidays\`, \`rates\` and \`tests\` at their top; they are added behind those of the file. Mistakes are told at their place in their file. [cookbook/](cookbook/README.md) has plans from life.

## Explanations

\`npx offhook route\`, \`POST /api/v1/dialplan/simulate\` and the record of each call tell the same: each rule that was looked at with the first condition that failed and what it saw; of the rule that decided the number before and after each rewrite, its class, limits, targets with their state, who the callee sees, and how codecs are chosen. For any time (\`--at\`) and any draft (\`--config\`, \`dialplan\` in the API). The plan below says of a call:

%EXPLANATION%

## Tests

Each test under \`dialplan.tests\` decides one call, and compares what \`expect\` names: \`ring\` (all users, in any order), \`dial\` (the trunks that are tried first, in order), \`number\`, \`caller\`, \`reject\`, \`play\`, \`route\`, or one of the words \`echo\`, \`play\`, \`read-digits\`. A test that fails refuses the file, at \`check\`, at the start and at each reload.

\`\`\`yaml
%EXAMPLE%\`\`\`

## Large plans

Routes are found by hash tables and a trie, so that a decision costs about the same among 10 and 100,000 of them; \`npm run bench -- dialplan\` prints the time of a decision, of loading, and the memory. A plan is read and checked by the process that carries the calls: one of 1,000 routes holds it up for a tenth of a second, one of 100,000 for many seconds.

## Keys

%TABLES%

## What goes with which action

%MATRIX%
`;

/** The example of the page. */
export const EXAMPLE = `dialplan:
  country: DE
  time-zone: Europe/Berlin
  routes:
    - name: colleagues
      to: "@users"
      do: { ring: "@to", timeout: 25s, then: [ { dial: office } ] }
    - name: national
      from: { group: staff }
      to: "_0Z."
      at: { days: mon-fri, hours: "08:00-18:00" }
      do: { dial: [office, backup], strip: 1, prepend: "+49" }
  tests:
    - { from: "1001", to: "030123456", at: "2026-11-20T10:00", expect: { dial: office, number: "+4930123456" } }
    - { from: "+4989999", trunk: office, to: "1001", expect: { ring: "1001" } }
`;
