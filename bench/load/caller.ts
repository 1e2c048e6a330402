import { BROWSER_OFFER, HELD_OFFER } from "../browser-offer.ts";
import type { Connection } from "./connection.ts";
import { authorizationOf, contactOf, headerOf, routesOf, statusOf } from "./sip-text.ts";

/** What became of a number of calls. */
export interface CallCounts {
  started: number;
  answered: number;
  completed: number;
  failed: number;
  /** Of those that failed: answered with 503. */
  refused: number;
}

/** Where the calls report to; one for each measurement. */
export interface CallLog {
  readonly counts: CallCounts;
  /** Milliseconds from INVITE to 180. */
  readonly ringing: number[];
  /** Milliseconds from INVITE to 200. */
  readonly answer: number[];
  /** A call has been answered; hang it up when its time has come. */
  onAnswered(call: Call): void;
  /** The first failures, for a person to read. */
  readonly faults: string[];
}

let sequence = 0;

/** A web user with one connection; `@` in a message is replaced by nothing: all is preformatted. */
export class Caller {
  readonly #name: string;
  readonly #password: string;
  /** Of its own: one who signs in anew is a page that was loaded anew. */
  readonly #registerCallId: string;
  readonly #calls = new Map<string, Call>();
  #connection: Connection | undefined;
  #registered: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(index: number) {
    this.#name = `u${index}`;
    this.#password = `secret-${index}`;
    sequence += 1;
    this.#registerCallId = `register-${process.pid}-${sequence}`;
  }

  attach(connection: Connection): void {
    this.#connection = connection;
  }

  register(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#registered = { resolve, reject };
      this.#sendRegister(1, "");
    });
  }

  /** @param isHeld on hold from the begin on: nobody misses sound in it */
  call(log: CallLog, isHeld = false): void {
    if (this.#connection === undefined) return;
    const call = new Call(this.#name, this.#connection, log, (id) => this.#calls.delete(id));
    this.#calls.set(call.id, call);
    call.invite(isHeld ? HELD_OFFER : BROWSER_OFFER);
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  onMessage(text: string): void {
    const call = this.#calls.get(headerOf(text, "Call-ID"));
    if (call !== undefined) call.onMessage(text);
    else if (headerOf(text, "CSeq").endsWith("REGISTER")) this.#onRegistered(text);
  }

  #onRegistered(text: string): void {
    const status = statusOf(text);
    if (status === 200) {
      this.#registered?.resolve();
      this.#registered = undefined;
    } else if (status === 401 && headerOf(text, "CSeq").startsWith("1 ")) {
      const who = { username: this.#name, password: this.#password };
      const challenge = headerOf(text, "WWW-Authenticate");
      const value = authorizationOf(challenge, who, "REGISTER", "sip:bench.example.com");
      this.#sendRegister(2, `Authorization: ${value}\r\n`);
    } else {
      this.#registered?.reject(new Error(`REGISTER was answered with ${text.slice(0, 60)}`));
    }
  }

  #sendRegister(cseq: number, authorization: string): void {
    const name = this.#name;
    this.#connection?.send(
      "REGISTER sip:bench.example.com SIP/2.0\r\n" +
        `Via: SIP/2.0/WS ${name}.invalid;branch=z9hG4bKr${cseq}${name};rport\r\n` +
        `To: <sip:${name}@bench.example.com>\r\n` +
        `From: <sip:${name}@bench.example.com>;tag=r${name}\r\n` +
        `CSeq: ${cseq} REGISTER\r\nCall-ID: ${this.#registerCallId}\r\nMax-Forwards: 70\r\n` +
        authorization +
        `Contact: <sip:${name}@${name}.invalid;transport=ws>;reg-id=1;` +
        `+sip.instance="<urn:uuid:5b1a3e2c-8c3f-4f0a-9f0e-${name.padStart(12, "0")}>";expires=600\r\n` +
        "Supported: path, outbound\r\n" +
        "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n" +
        "User-Agent: SIP.js/0.21.2\r\nContent-Length: 0\r\n\r\n",
    );
  }
}

/** One call: INVITE, ACK, and BYE when it is told to hang up. */
export class Call {
  readonly id: string;
  readonly #name: string;
  readonly #connection: Connection;
  readonly #log: CallLog;
  readonly #onGone: (id: string) => void;
  readonly #startedMs = performance.now();
  #state: "calling" | "ringing" | "answered" | "over" = "calling";
  #inDialog = { uri: "", routes: "", to: "" };

  constructor(name: string, connection: Connection, log: CallLog, onGone: (id: string) => void) {
    sequence += 1;
    this.id = `call-${process.pid}-${sequence}`;
    this.#name = name;
    this.#connection = connection;
    this.#log = log;
    this.#onGone = onGone;
  }

  get startedMs(): number {
    return this.#startedMs;
  }

  invite(offer: string): void {
    this.#log.counts.started += 1;
    this.#send(
      "INVITE sip:+493012345678@bench.example.com",
      "To: <sip:+493012345678@bench.example.com>\r\n",
      "1 INVITE",
      `Contact: <sip:${this.#name}@${this.#name}.invalid;transport=ws;ob>\r\n` +
        "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n" +
        "Supported: outbound\r\nUser-Agent: SIP.js/0.21.2\r\n" +
        "Content-Type: application/sdp\r\n",
      offer,
    );
  }

  hangUp(): void {
    if (this.#state !== "answered") return;
    this.#state = "over";
    this.#sendInDialog("BYE", 2);
  }

  onMessage(text: string): void {
    const status = statusOf(text);
    const cseq = headerOf(text, "CSeq");
    if (status === 0) {
      // A BYE of the far end: the call was cut.
      this.#fail(text);
    } else if (cseq === "2 BYE") {
      if (status === 200) this.#log.counts.completed += 1;
      else this.#fault(text);
      this.#onGone(this.id);
    } else if (status >= 300) {
      this.#fail(text);
    } else if (status >= 200) {
      this.#onAccepted(text);
    } else if (status > 100 && this.#state === "calling") {
      this.#state = "ringing";
      this.#log.ringing.push(performance.now() - this.#startedMs);
    }
  }

  #onAccepted(text: string): void {
    if (this.#state === "calling" || this.#state === "ringing") {
      this.#state = "answered";
      this.#log.answer.push(performance.now() - this.#startedMs);
      this.#log.counts.answered += 1;
      this.#inDialog = { uri: contactOf(text), routes: routesOf(text), to: headerOf(text, "To") };
      this.#sendInDialog("ACK", 1);
      this.#log.onAnswered(this);
    } else {
      this.#sendInDialog("ACK", 1);
    }
  }

  #fail(text: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#fault(text);
    this.#onGone(this.id);
  }

  #fault(text: string): void {
    const { counts, faults } = this.#log;
    counts.failed += 1;
    if (statusOf(text) === 503) counts.refused += 1;
    if (faults.length < 3) faults.push(text.slice(0, 300));
  }

  #sendInDialog(method: "ACK" | "BYE", number: number): void {
    const { uri, routes, to } = this.#inDialog;
    this.#send(`${method} ${uri}`, `${routes}To: ${to}\r\n`, `${number} ${method}`, "", "");
  }

  #send(start: string, to: string, cseq: string, fields: string, body: string): void {
    const { transport } = this.#connection;
    this.#connection.send(
      `${start} SIP/2.0\r\n` +
        `Via: SIP/2.0/${transport} ${this.#name}.invalid;` +
        `branch=z9hG4bK${this.id}${cseq.slice(0, 1)}${cseq.slice(2, 3)};rport\r\n` +
        `${to}From: <sip:${this.#name}@bench.example.com>;tag=f${this.id}\r\n` +
        `CSeq: ${cseq}\r\nCall-ID: ${this.id}\r\nMax-Forwards: 70\r\n` +
        `${fields}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
}
