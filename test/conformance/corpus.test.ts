import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseMessage } from "../../src/signaling/message/parser.ts";
import { waitFor } from "../harness/wait.ts";
import { corpus } from "../signaling/message/corpus.ts";
import type { CorpusFile } from "../signaling/message/corpus.ts";
import { exchange } from "./exchange.ts";
import type { Outcome } from "./exchange.ts";
import { STANDS, askerOf, domainOf, startEngine } from "./stands.ts";
import type { Line } from "./line.ts";
import type { ConformanceEngine, Stand } from "./stands.ts";

const FOLDERS: readonly (readonly [folder: string, files: number])[] = [
  ["rfc4475/", 49],
  ["rfc4475-extra/", 2],
  ["rfc7118/", 13],
  ["valid-flows/", 228],
  ["gateway-attacks/", 63],
];
/** Longer than any transaction lives. */
const TRANSACTION_MS = 40_000;
/** The OPTIONS behind each file. */
const PROBE_MS = 100;

const engines = new Map<string, ConformanceEngine>();

beforeAll(async () => {
  for (const { file } of corpus()) {
    const domain = domainOf(file);
    if (!engines.has(domain)) engines.set(domain, await startEngine(domain));
  }
});

afterAll(async () => {
  for (const engine of engines.values()) {
    expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
    expect(engine.engine.clock.pendingTimers).toBe(0);
  }
});

function engineFor(file: CorpusFile): ConformanceEngine {
  const engine = engines.get(domainOf(file.file));
  if (engine === undefined) throw new Error(`there is no engine for ${file.file}`);
  return engine;
}

async function send(subject: ConformanceEngine, stand: Stand, file: CorpusFile): Promise<Outcome> {
  const line = await stand.open(subject, file);
  const outcome = await exchange({
    line,
    octets: file.octets,
    asker: askerOf(file, subject.domain),
    isAnswered: stand.expected(file).statuses.length > 0,
    reopen: () => stand.open(subject, file),
  });
  await line.close();
  return outcome;
}

/** Waits until nothing is left of a message: transactions when their time is over. */
async function expectNothingLeft({ engine, logger, bystander }: ConformanceEngine): Promise<void> {
  await waitFor(() => engine.engine.counts.flows === 0, { what: "the connection to be forgotten" });
  engine.clock.advance(TRANSACTION_MS);
  expect(engine.engine.counts).toEqual({ transactions: 0, dialogs: 0, flows: 0 });
  expect([...engine.engine.locations.all()]).toEqual([]);
  expect(logger.errors).toEqual([]);
  expect(bystander.unread).toEqual([]);
}

/** The rest of a message is waited for, others are served meanwhile, and then it is given up. */
async function expectWait(
  subject: ConformanceEngine,
  stand: Stand,
  file: CorpusFile,
): Promise<void> {
  const line = await stand.open(subject, file);
  line.send(file.octets);
  const open = (): Promise<Line> => stand.open(subject, file);
  const beside = await open();
  const octets = Buffer.alloc(0);
  const asker = askerOf(file, subject.domain);
  const served = await exchange({ line: beside, octets, asker, isAnswered: false, reopen: open });
  expect(served.probeStatus).toBe(stand.probeStatus);
  await beside.close();
  expect(line.arrivals.unread).toEqual([]);
  subject.engine.clock.advance(TRANSACTION_MS);
  const refusal = await line.arrivals.next("a refusal");
  expect(refusal.toString("latin1")).toMatch(/^SIP\/2\.0 4\d\d /);
  expect(await line.arrivals.next("the end of the connection")).toBe("closed");
  await line.close();
  await expectNothingLeft(subject);
}

describe.each(FOLDERS)("every message of %s", (folder, count) => {
  const files = corpus(folder);

  it(`is there: ${count}`, () => {
    expect(files).toHaveLength(count);
  });

  describe.each(STANDS)("over $name", (stand) => {
    let passed = 0;

    afterAll(() => {
      process.stdout.write(`${folder} over ${stand.name}: ${passed}/${count}\n`);
    });

    it.each(files)("$file $title", async (file) => {
      const subject = engineFor(file);
      const expected = stand.expected(file);
      if (expected.waits) {
        await expectWait(subject, stand, file);
        passed += 1;
        return;
      }
      const outcome = await send(subject, stand, file);
      expect(outcome.statuses).toEqual(expected.statuses);
      expect(outcome.strays).toEqual([]);
      const isStun = stand.transport === "UDP" && file.file.includes("-stun-");
      expect(outcome.stunAnswers).toBe(isStun ? 1 : 0);
      expect(outcome.isClosed).toBe(expected.isClosed);
      expect(outcome.probeStatus).toBe(expected.probe);
      // A machine that is busy with something else may be slow once, and not three times.
      let { probeMs } = outcome;
      for (let again = 0; again < 2 && probeMs >= PROBE_MS; again += 1) {
        ({ probeMs } = await send(subject, stand, file));
      }
      expect(probeMs).toBeLessThan(PROBE_MS);
      await expectNothingLeft(subject);
      passed += 1;
    });
  });
});

describe("what the answers say beside their status", () => {
  it.each([
    ["rfc4475/intmeth.dat", "Allow", /INVITE.*REGISTER|INVITE/],
    ["rfc4475/bext01.dat", "Unsupported", /nothingSupportsThis.*nothingSupportsThisEither/],
    ["rfc4475/invut.dat", "Accept", /application\/sdp/],
    ["rfc4475/mpart01.dat", "Allow", /INVITE/],
    ["gateway-attacks/syntax-01-lower-invite.dat", "Allow", /INVITE/],
  ])("%s: %s", async (name, header, value) => {
    const [file] = corpus(name);
    if (file === undefined) throw new Error(`${name} is not there`);
    for (const stand of STANDS.filter(({ probeStatus }) => probeStatus === 200)) {
      const { responses } = await send(engineFor(file), stand, file);
      expect(responses[0]?.headers.get(header), stand.name).toMatch(value);
      await expectNothingLeft(engineFor(file));
    }
  });

  it("each answer has the Via, From, To, Call-ID and CSeq of its request (RFC 3261 §8.2.6.2)", async () => {
    for (const file of corpus("rfc4475/").filter(({ outcome }) => outcome === "accept")) {
      const request = parseMessage(file.octets);
      // On a stream a file may be two messages.
      for (const stand of STANDS.filter(({ transport }) => transport !== "TCP")) {
        const { responses } = await send(engineFor(file), stand, file);
        for (const response of responses) {
          expect(response.callId).toBe(request.callId);
          expect(response.cseq).toEqual(request.cseq);
          expect(response.headers.get("From")).toBe(request.headers.get("From"));
          expect(response.to.uri).toBe(request.to.uri);
          expect(response.toTag, `${file.file} ${response.statusCode}`).toBeDefined();
          expect(response.vias.map(({ branch, host }) => [branch, host])).toEqual(
            request.vias.map(({ branch, host }) => [branch, host]),
          );
        }
        await expectNothingLeft(engineFor(file));
      }
    }
  });
});
