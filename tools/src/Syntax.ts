/**
 * What a source file imports, exports and refers to, read from its syntax tree.
 */
import { type Node, parseSync, type Program } from "oxc-parser"

/** A module that a file names. */
export interface Import {
  readonly specifier: string
  /** What it takes of the module: names, `*` for all of it, none for a bare or dynamic import. */
  readonly bindings: ReadonlyArray<{ readonly imported: string; readonly local: string }>
  /** Whether only types are taken. */
  readonly isType: boolean
  readonly line: number
}

/** A name that is handed on from another module. */
export interface Reexport {
  readonly exported: string
  readonly imported: string
  readonly specifier: string
}

export interface SourceFile {
  readonly path: string
  readonly program: Program
  readonly imports: ReadonlyArray<Import>
  /** The names that the file itself declares and exports as values, and what they are called inside. */
  readonly exports: ReadonlyMap<string, string>
  readonly reexports: ReadonlyArray<Reexport>
  readonly lineOf: (offset: number) => number
}

/** A use of a name that is a value: `Date` in `Date.now()`, with the `now`. */
export interface Reference {
  readonly name: string
  readonly member: string | undefined
  readonly offset: number
  /** Whether the name is declared at the top of the file or imported, rather than global. */
  readonly declared: boolean
}

export type AnyNode = Node & Record<string, unknown>

export const parse = (path: string, text: string): SourceFile => {
  const { program, module, errors } = parseSync(path, text)
  const fatal = errors.find((error) => error.severity === "Error")
  if (fatal !== undefined) throw new Error(`${path}: ${fatal.message}`)
  const lineOf = lines(text)
  const imports: Array<Import> = module.staticImports.map((statement) => ({
    specifier: statement.moduleRequest.value,
    bindings: statement.entries.map((entry) => ({
      imported: entry.importName.kind === "NamespaceObject" ? "*" : (entry.importName.name ?? "default"),
      local: entry.localName.value
    })),
    isType: statement.entries.length > 0 && statement.entries.every((entry) => entry.isType),
    line: lineOf(statement.start)
  }))
  const exports = new Map<string, string>()
  const reexports: Array<Reexport> = []
  for (const statement of module.staticExports) {
    for (const entry of statement.entries) {
      if (entry.moduleRequest !== null) {
        const exported = entry.exportName.name ?? "*"
        const imported = entry.importName.kind === "Name" ? entry.importName.name! : "*"
        const specifier = entry.moduleRequest.value
        reexports.push({ exported, imported, specifier })
        const bindings = [{ imported, local: exported }]
        imports.push({ specifier, bindings, isType: entry.isType, line: lineOf(statement.start) })
      } else if (!entry.isType && entry.exportName.name !== null) {
        exports.set(entry.exportName.name, entry.localName.name ?? entry.exportName.name)
      }
    }
  }
  walk(program, (node) => {
    const literal =
      node.type === "ImportExpression" || node.type === "TSImportType" ? (node.source as AnyNode) : undefined
    if (literal?.type === "Literal" && typeof literal.value === "string") {
      const isType = node.type === "TSImportType"
      imports.push({ specifier: literal.value, bindings: [], isType, line: lineOf(node.start) })
    }
  })
  return { path, program, imports, exports, reexports, lineOf }
}

/** Calls `visit` with each node; where it returns `false` the node's children are left out. */
export const walk = (node: unknown, visit: (node: AnyNode, parent: AnyNode | undefined) => unknown): void => {
  const go = (value: unknown, parent: AnyNode | undefined): void => {
    if (Array.isArray(value)) return value.forEach((item) => go(item, parent))
    if (!isNode(value) || visit(value, parent) === false) return
    for (const [key, child] of Object.entries(value)) if (key !== "parent") go(child, value)
  }
  go(node, undefined)
}

/** The values that `root` refers to and that are declared outside of it. Types don't count. */
export const references = (file: SourceFile, root: unknown): ReadonlyArray<Reference> => {
  const top = topLevel(file)
  const found: Array<Reference> = []
  const go = (value: unknown, scopes: ReadonlyArray<ReadonlySet<string>>, member?: string): void => {
    if (Array.isArray(value)) return value.forEach((item) => go(item, scopes))
    if (!isNode(value)) return
    const inner = value.type !== "Program" && opensScope(value) ? [...scopes, declaredIn(value)] : scopes
    switch (value.type) {
      case "Identifier":
        if (!scopes.some((names) => names.has(value.name as string))) {
          const name = value.name as string
          found.push({ name, member, offset: value.start, declared: top.has(name) })
        }
        return
      case "MemberExpression": {
        go(value.object, inner, memberName(value))
        if (value.computed === true) go(value.property, inner)
        return
      }
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        return
      case "ExportNamedDeclaration":
        return go(value.declaration, inner)
      case "LabeledStatement":
        return go(value.body, inner)
      case "BreakStatement":
      case "ContinueStatement":
      case "MetaProperty":
        return
    }
    if (value.type.startsWith("TS")) return go(value.expression, inner)
    for (const [key, child] of Object.entries(value)) {
      if (typeKeys.has(key) || (key === "key" && value.computed !== true) || key === "parent") continue
      go(child, inner)
    }
  }
  go(root, [])
  return found
}

/** What the top level of a file declares: the name and the declaration. Imports have none. */
export const topLevel = (file: SourceFile): ReadonlyMap<string, AnyNode | undefined> => {
  const declared = new Map<string, AnyNode | undefined>()
  for (const { bindings } of file.imports) for (const { local } of bindings) declared.set(local, undefined)
  for (const statement of file.program.body) {
    const node = statement as AnyNode
    const declaration = node.type === "ExportNamedDeclaration" ? (node.declaration as AnyNode | null) : node
    if (declaration === null) continue
    if (declaration.type === "VariableDeclaration") {
      for (const declarator of declaration.declarations as Array<AnyNode>) {
        for (const name of names(declarator.id)) declared.set(name, declarator)
      }
    } else if (isNode(declaration.id) && !declaration.type.startsWith("TS")) {
      declared.set((declaration.id as AnyNode).name as string, declaration)
    }
  }
  return declared
}

const isNode = (value: unknown): value is AnyNode =>
  typeof value === "object" && value !== null && typeof (value as { readonly type?: unknown }).type === "string"

const typeKeys = new Set([
  "typeAnnotation",
  "typeParameters",
  "typeArguments",
  "returnType",
  "implements",
  "decorators"
])

const opensScope = (node: AnyNode): boolean =>
  /Function|^(BlockStatement|StaticBlock|CatchClause|SwitchStatement|ClassExpression)$|^For/.test(node.type)

/** The names that belong to the scope which `node` opens. */
const declaredIn = (node: AnyNode): ReadonlySet<string> => {
  const declared: Array<string> = []
  if (Array.isArray(node.params)) for (const parameter of node.params) declared.push(...names(parameter))
  if (node.type === "CatchClause") declared.push(...names(node.param))
  if (/FunctionExpression|ClassExpression/.test(node.type)) declared.push(...names(node.id))
  const statements =
    node.type === "SwitchStatement"
      ? (node.cases as Array<AnyNode>).flatMap((branch) => branch.consequent as Array<AnyNode>)
      : [node.body, node.init, node.left].flat()
  for (const statement of statements) {
    if (!isNode(statement)) continue
    if (statement.type === "VariableDeclaration") {
      for (const declarator of statement.declarations as Array<AnyNode>) declared.push(...names(declarator.id))
    } else if (/^(Function|Class)Declaration$/.test(statement.type)) declared.push(...names(statement.id))
  }
  return new Set(declared)
}

/** The names that a pattern binds. */
const names = (pattern: unknown): ReadonlyArray<string> => {
  if (!isNode(pattern)) return []
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name as string]
    case "ObjectPattern":
      return (pattern.properties as Array<AnyNode>).flatMap((property) => names(property.value ?? property))
    case "ArrayPattern":
      return (pattern.elements as Array<unknown>).flatMap(names)
    case "AssignmentPattern":
      return names(pattern.left)
    case "RestElement":
      return names(pattern.argument)
    default:
      return []
  }
}

const memberName = (node: AnyNode): string | undefined => {
  const property = node.property as AnyNode
  if (node.computed !== true) return property.name as string
  return property.type === "Literal" ? String(property.value) : undefined
}

const lines = (text: string): ((offset: number) => number) => {
  const starts = [0]
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }
}
