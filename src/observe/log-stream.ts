/** Where lines go. A Writable will do. */
export interface LogStream {
  write(line: string): unknown;
}
