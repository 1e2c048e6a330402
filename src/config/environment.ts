/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const VARIABLE = /\$\$\{|\$\{([^}]*)(\}?)/g;

/**
 * Puts `${NAME}` and `${NAME:-default}` in; `$${` stands for `${` itself. As in a shell, a default
 * is taken when the variable is missing or empty.
 *
 * @returns the text, and a message for each variable that is missing or malformed
 */
export function expandEnvironment(
  text: string,
  environment: Environment,
): { readonly text: string; readonly problems: readonly string[] } {
  const problems: string[] = [];
  if (!text.includes("${")) return { text, problems };
  const expanded = text.replace(VARIABLE, (whole, body: string | undefined, close: string) => {
    if (body === undefined) return "${";
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(body);
    const [, name, fallback] = match ?? [];
    if (name === undefined || close === "") {
      problems.push(
        `"${whole}" is not a variable; expected \${NAME} or \${NAME:-default} (write $\${ for a plain \${)`,
      );
      return whole;
    }
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value !== undefined && (value !== "" || fallback === undefined)) return value;
    if (fallback !== undefined) return fallback;
    problems.push(
      `the environment variable ${name} is not set; set it, or write \${${name}:-default}`,
    );
    return whole;
  });
  return { text: expanded, problems };
}
