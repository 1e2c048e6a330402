import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { makeTemporaryDirectory } from "./temporary.ts";

const exec = promisify(execFile);
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** A certificate with its key, as files and as text. */
export interface Certificate {
  readonly certificatePath: string;
  readonly keyPath: string;
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority for one test. */
export class Authority {
  /** PEM file of the authority's own certificate. */
  readonly caPath: string;
  readonly ca: string;
  readonly #directory: string;
  #issued = 0;

  private constructor(directory: string, ca: string) {
    this.#directory = directory;
    this.caPath = join(directory, "ca.pem");
    this.ca = ca;
  }

  static async make(): Promise<Authority> {
    const directory = await makeTemporaryDirectory("certificates");
    const files = ["-keyout", join(directory, "ca.key"), "-out", join(directory, "ca.pem")];
    const subject = ["-days", "2", "-subj", "/CN=Test Authority"];
    await exec("openssl", ["req", "-x509", ...NEW_KEY, ...subject, ...files]);
    return new Authority(directory, await readFile(join(directory, "ca.pem"), "utf8"));
  }

  /**
   * @param alternatives as openssl writes them: `DNS:pbx.test`, `URI:sip:pbx.test`, `IP:127.0.0.1`;
   * none makes a certificate with a CN alone
   */
  async issue(commonName: string, ...alternatives: readonly string[]): Promise<Certificate> {
    this.#issued += 1;
    const at = (name: string): string => join(this.#directory, `${this.#issued}.${name}`);
    const extensions = alternatives.length === 0 ? "" : `subjectAltName=${alternatives.join(",")}`;
    await writeFile(at("ext"), extensions);
    const request = ["-keyout", at("key"), "-out", at("csr")];
    await exec("openssl", ["req", "-new", ...NEW_KEY, "-subj", `/CN=${commonName}`, ...request]);
    const signer = ["-CA", this.caPath, "-CAkey", join(this.#directory, "ca.key")];
    const certificate = ["-in", at("csr"), "-extfile", at("ext"), "-out", at("pem")];
    await exec("openssl", [
      "x509",
      "-req",
      "-days",
      "2",
      ...signer,
      "-CAcreateserial",
      ...certificate,
    ]);
    const [cert, key] = await Promise.all([
      readFile(at("pem"), "utf8"),
      readFile(at("key"), "utf8"),
    ]);
    return { certificatePath: at("pem"), keyPath: at("key"), cert, key };
  }
}
