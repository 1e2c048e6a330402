/** One mistake in a configuration file. */
export interface Problem {
  readonly file: string;
  /** From 1; undefined when no place in the file can be named. */
  readonly line?: number;
  readonly column?: number;
  /** `trunks.office.peer`; empty: the file as a whole. */
  readonly key: string;
  /** What is wrong, and what was expected. */
  readonly message: string;
}

/** `offhook.yaml:3:11: http.listen: found "80"; expected …` */
export function formatProblem(problem: Problem): string {
  const place =
    problem.line === undefined
      ? problem.file
      : `${problem.file}:${problem.line}:${problem.column ?? 1}`;
  return `${place}: ${problem.key === "" ? "" : `${problem.key}: `}${problem.message}`;
}

/** `users.1001.numbers.0`: a path as the messages write it. */
export function formatKey(path: readonly PropertyKey[]): string {
  return path.map(String).join(".");
}
