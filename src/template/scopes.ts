import { type Engine, EvalError as EvaluationError } from "@promptctl/go-template-js";

interface Scope {
  readonly dot: unknown;
  readonly root: unknown;
  readonly vars: Map<string, unknown>;
  readonly parent?: Scope;
}

interface Pipe {
  readonly isAssign: boolean;
  readonly pos: EvaluationError["pos"];
  readonly decls: readonly { readonly idents: readonly string[] }[];
}

interface Context {
  readonly source?: string;
}

interface Internals {
  evalPipe(pipe: Pipe, scope: Scope, context: Context): unknown;
  evalIf(node: unknown, scope: Scope, context: Context): void;
}

/**
 * Mends how the library (0.9.0, pinned) treats variables. There `$x = …` declares a new variable that ends with
 * its block, where Go changes the one that was declared; and what `if` declares outlives its `end`, where Go
 * forgets it. Silently wrong values would be worse than this hold on its insides.
 */
export function mendScopes(engine: Engine<string>): void {
  const internals = engine as unknown as Internals;
  const evalPipe = internals.evalPipe.bind(engine);
  const evalIf = internals.evalIf.bind(engine);
  internals.evalPipe = (pipe, scope, context) => {
    if (!pipe.isAssign) return evalPipe(pipe, scope, context);
    const value = evalPipe({ ...pipe, decls: [] }, scope, context);
    for (const { idents } of pipe.decls) {
      const name = idents[0] ?? "$";
      const owner = ownerOf(name, scope);
      if (owner === undefined) throw new EvaluationError(`undefined variable ${name}`, pipe.pos, context);
      owner.vars.set(name, value);
    }
    return value;
  };
  internals.evalIf = (node, scope, context) => {
    evalIf(node, { dot: scope.dot, root: scope.root, parent: scope, vars: new Map() }, context);
  };
}

function ownerOf(name: string, scope: Scope): Scope | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.vars.has(name)) return at;
  }
  return undefined;
}
