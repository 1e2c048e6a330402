import { fileURLToPath } from "node:url";
import { parseSync, type Plugin } from "vite";

const FACTORY = /\/session-description-handler-factory-default\.js$/;
const LOGGED = /^(?:this\.)?_?logger\.(?:debug|log|warn|error)$/;

/**
 * Leaves out of SIP.js what the phone never comes to: the session description handler that it brings
 * along, and what it would write into a log that is switched off (`sip-agent.ts`). Both together are
 * a tenth of it.
 */
export function leanSip(): Plugin {
  return {
    name: "lean-sip",
    enforce: "pre",
    resolveId(source) {
      return FACTORY.test(source)
        ? fileURLToPath(new URL("src/agent/no-description-handler.ts", import.meta.url))
        : undefined;
    },
    transform(code, id) {
      if (!id.includes("/node_modules/sip.js/lib/")) return undefined;
      const statements: { readonly start: number; readonly end: number }[] = [];
      visit(parseSync(id, code).program, (node) => {
        if (node.type !== "ExpressionStatement") return;
        const { expression } = node;
        if (!isNode(expression) || expression.type !== "CallExpression") return;
        const { callee } = expression;
        if (isNode(callee) && LOGGED.test(code.slice(callee.start, callee.end))) {
          statements.push(node);
        }
      });
      // They come in the order of the text. A statement stays one.
      let lean = "";
      let copied = 0;
      for (const { start, end } of statements) {
        if (start < copied) continue;
        lean += `${code.slice(copied, start)};`;
        copied = end;
      }
      lean += code.slice(copied);
      return { code: lean, map: null };
    },
  };
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function visit(value: unknown, look: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const one of value) visit(one, look);
  } else if (isNode(value)) {
    look(value);
    for (const child of Object.values(value)) visit(child, look);
  }
}
