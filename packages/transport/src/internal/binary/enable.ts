import { SchemaAST } from "effect"
import { SchemaJITCompiler } from "effect/schema"

/** Compiles both ways of a schema, where the platform allows it: each is a tree of its own. */
export const enable = (ast: SchemaAST.AST): void => {
  SchemaJITCompiler.enable(ast)
  SchemaJITCompiler.enable(SchemaAST.flip(ast))
}
