/**
 * The walls of the house: who may import what, and what an algorithm may do.
 *
 * Everything is read from syntax trees; the floors and the lists of what is allowed are data, in `Floors.ts`.
 */
import { existsSync, readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { dirname, join } from "node:path"
import * as Floors from "./Floors.ts"
import {
  type AnyNode,
  type Import,
  parse,
  type Reference,
  references,
  type SourceFile,
  topLevel,
  walk
} from "./Syntax.ts"
import { filesOf, fromRoot, type Manifest, type Package, packagesOf, readJson, root } from "./Workspace.ts"

/** A wall that is broken. */
export interface Problem {
  /** From the root. */
  readonly file: string
  readonly line: number
  readonly rule: string
  /** What is wrong and what to do. */
  readonly message: string
}

export const format = ({ file, line, rule, message }: Problem): string => `${file}:${line} [${rule}] ${message}`

/** Every broken wall of the workspace at `root`, file by file. */
export const check = (root: string): ReadonlyArray<Problem> => {
  const house = readHouse(root)
  return house.packages
    .flatMap((room) => [
      ...room.files.flatMap((file) => [
        ...checkImports(house, room, file),
        ...(isAlgorithm(room, file) ? checkAlgorithm(house, room, file) : [])
      ]),
      ...checkManifest(house, room)
    ])
    .concat(checkCycles(house), checkRoot(house))
}

// ------------------------------------------------------------------------------------------------------------ the house

interface Room extends Package {
  readonly files: ReadonlyArray<SourceFile>
}

interface House {
  readonly root: string
  readonly manifest: Manifest
  readonly packages: ReadonlyArray<Room>
  readonly byName: ReadonlyMap<string, Room>
  readonly files: ReadonlyMap<string, SourceFile>
}

const readHouse = (root: string): House => {
  const packages = packagesOf(root).map((entry) => ({
    ...entry,
    files: filesOf(root, entry).map((path) => parse(path, readFileSync(join(root, path), "utf8")))
  }))
  return {
    root,
    manifest: readJson<Manifest>(join(root, "package.json")),
    packages,
    byName: new Map(packages.map((room) => [room.manifest.name, room])),
    files: new Map(packages.flatMap((room) => room.files.map((file) => [file.path, file])))
  }
}

/** Whether a file is published, rather than a test, a benchmark or an app. */
const isSource = (room: Room, file: SourceFile): boolean =>
  room.kind === "package" && ["src", "examples"].some((folder) => file.path.startsWith(`${room.path}/${folder}/`))

const floorOf = (room: Room): number => {
  if (room.kind === "app") return Floors.floors.length + (Floors.startedApps.has(room.room) ? 0 : 1)
  return Floors.floors.findIndex((rooms) => rooms.includes(room.room))
}

/** `@troupe/transport/Tcp` is the entry `./Tcp` of `@troupe/transport`. */
const split = (specifier: string): { readonly name: string; readonly entry: string } => {
  const parts = specifier.split("/")
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/")
  return { name, entry: `.${specifier.slice(name.length)}` }
}

const isNode = (specifier: string): boolean => specifier.startsWith("node:") || builtinModules.includes(specifier)

/** The file of the house that a relative import means, from the root. */
const target = (file: SourceFile, specifier: string): string => fromRoot("/", join("/", dirname(file.path), specifier))

// -------------------------------------------------------------------------------------------------------------- imports

const checkImports = (house: House, room: Room, file: SourceFile): ReadonlyArray<Problem> =>
  file.imports.flatMap((statement): ReadonlyArray<Problem> => {
    const { specifier, line } = statement
    const problem = (rule: string, message: string): Problem => ({ file: file.path, line, rule, message })
    if (specifier.startsWith(".")) {
      return target(file, specifier).startsWith(`${room.path}/`)
        ? []
        : [problem("exports", `"${specifier}" leaves the package. Import what the other package exports, by its name.`)]
    }
    if (isNode(specifier)) return []
    const { name, entry } = split(specifier)
    const other = house.byName.get(name)
    if (other === undefined) return declared(house, room, file, name) ? [] : [undeclared(room, file, line, name)]
    if (other.manifest.exports?.[entry] === undefined) {
      const message = `"${specifier}" is not exported by ${name}. Import one of: ${entries(other)}.`
      return [problem("exports", message)]
    }
    if (other === room || verifies(room, file)) return []
    return [
      ...(declared(house, room, file, name) ? [] : [undeclared(room, file, line, name)]),
      ...checkFloor(room, file, other, entry, problem)
    ]
  })

/**
 * Tests of verification try it on algorithms, and those have tests that use it: a circle, were both to name the other. So do
 * tests of what verification stands on. These name nothing, and find all packages in the workspace.
 */
const verifies = (room: Room, file: SourceFile): boolean =>
  (Floors.verification.has(room.room) || room.room === Floors.beneathVerification) && !isSource(room, file)

const checkFloor = (
  room: Room,
  file: SourceFile,
  other: Room,
  entry: string,
  problem: (rule: string, message: string) => Problem
): ReadonlyArray<Problem> => {
  const isVerification = Floors.verification.has(other.room) || entry === "./testing"
  const specifier = other.manifest.name + entry.slice(1)
  if (isVerification && isSource(room, file)) {
    if (Floors.verification.has(room.room)) return isLower(other, room) ? [] : [tooHigh(room, other, problem)]
    const message = `${specifier} verifies; only tests, benchmarks and apps import it. Move this code to test/ or bench/.`
    return [problem("verification", message)]
  }
  return isVerification || isLower(other, room) ? [] : [tooHigh(room, other, problem)]
}

const isLower = (other: Room, room: Room): boolean => floorOf(room) < 0 || floorOf(other) < floorOf(room)

const tooHigh = (room: Room, other: Room, problem: (rule: string, message: string) => Problem): Problem =>
  problem(
    "floor",
    `${room.manifest.name} imports ${other.manifest.name}, which is not on a lower floor. ` +
      `Move what both need to a lower package, or take it as a service.`
  )

const entries = (room: Room): string =>
  Object.keys(room.manifest.exports ?? {})
    .map((entry) => room.manifest.name + entry.slice(1))
    .join(", ")

// ------------------------------------------------------------------------------------------------------------ manifests

const declared = (house: House, room: Room, file: SourceFile, name: string): boolean => {
  const { dependencies, devDependencies, peerDependencies } = room.manifest
  if (name in { ...dependencies, ...peerDependencies }) return true
  return !isSource(room, file) && name in { ...devDependencies, ...house.manifest.devDependencies }
}

const undeclared = (room: Room, file: SourceFile, line: number, name: string): Problem => ({
  file: file.path,
  line,
  rule: "dependency",
  message: `${room.path}/package.json does not name ${name}. Add it to its ${
    isSource(room, file) ? "dependencies" : "devDependencies"
  }.`
})

const checkManifest = (house: House, room: Room): ReadonlyArray<Problem> => {
  const { manifest } = room
  const file = `${room.path}/package.json`
  const problem = (rule: string, message: string, name: string): Problem => {
    const text = readFileSync(join(room.directory, "package.json"), "utf8").split("\n")
    const line = text.findLastIndex((each) => each.includes(`"${name}"`)) + 1
    return { file, line: Math.max(1, line), rule, message }
  }
  const problems: Array<Problem> = []
  if (floorOf(room) < 0) {
    problems.push(problem("floor", `${manifest.name} has no floor. Give it one in tools/src/Floors.ts.`, "name"))
  }
  const used = (files: ReadonlyArray<SourceFile>): ReadonlySet<string> =>
    new Set(files.flatMap(({ imports }) => imports.map(({ specifier }) => split(specifier).name)))
  const all = used(room.files)
  const source = room.kind === "app" ? all : used(room.files.filter((each) => isSource(room, each)))
  // A package whose first file is still to be written needs nothing yet.
  if (source.size === 0) return problems
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    if (!source.has(name)) {
      problems.push(problem("dependency", `${name} is not imported by src/. Remove it from ${file}.`, name))
    }
  }
  for (const name of Object.keys(manifest.devDependencies ?? {})) {
    if (!all.has(name)) problems.push(problem("dependency", `${name} is not imported. Remove it from ${file}.`, name))
  }
  return problems.concat(checkReferences(house, room))
}

/** `tsc -b` builds a package after those that its tsconfig.json refers to: they must be its dependencies. */
const checkReferences = (house: House, room: Room): ReadonlyArray<Problem> => {
  if (room.kind === "app") return []
  const file = `${room.path}/tsconfig.json`
  const referred = referencesOf(house, file)
  const needed = Object.keys(room.manifest.dependencies ?? {}).flatMap((name) => house.byName.get(name)?.path ?? [])
  const problem = (message: string): Problem => ({ file, line: 1, rule: "reference", message })
  return [
    ...needed.filter((path) => !referred.includes(path)).map((path) => problem(`Add a reference to ${path}.`)),
    ...referred
      .filter((path) => !needed.includes(path))
      .map((path) => problem(`Remove the reference to ${path}, which is not a dependency.`))
  ]
}

/** The folders, from the root, that a tsconfig.json refers to. */
const referencesOf = (house: House, file: string): ReadonlyArray<string> => {
  const path = join(house.root, file)
  if (!existsSync(path)) return []
  const { references: referred = [] } = readJson<{ readonly references?: ReadonlyArray<{ readonly path: string }> }>(
    path
  )
  return referred.map((reference) => fromRoot(house.root, join(dirname(path), reference.path)))
}

/** The root's tsconfig.json refers to every package, so that `tsc -b` builds it. */
const checkRoot = (house: House): ReadonlyArray<Problem> => {
  const referred = referencesOf(house, "tsconfig.json")
  return house.packages
    .filter(({ kind, path }) => kind === "package" && !referred.includes(path))
    .map(({ path }) => ({ file: "tsconfig.json", line: 1, rule: "reference", message: `Add a reference to ${path}.` }))
}

/** Packages that depend on each other, for tests too: there would be no order to build and release them in. */
const checkCycles = (house: House): ReadonlyArray<Problem> => {
  const dependencies = ({ manifest }: Room): ReadonlyArray<Room> =>
    Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).flatMap(
      (name) => house.byName.get(name) ?? []
    )
  const problems: Array<Problem> = []
  const done = new Set<Room>()
  const visit = (room: Room, path: ReadonlyArray<Room>): void => {
    if (path.includes(room)) {
      const cycle = [...path.slice(path.indexOf(room)), room].map(({ manifest }) => manifest.name).join(" → ")
      const message =
        `The packages go round in a circle: ${cycle}. A test that needs the higher one belongs to it; ` +
        `tests of ${[...Floors.verification].join(", ")} import what they verify without naming it in package.json.`
      problems.push({ file: `${room.path}/package.json`, line: 1, rule: "cycle", message })
    } else if (!done.has(room)) {
      for (const other of dependencies(room)) visit(other, [...path, room])
      done.add(room)
    }
  }
  for (const room of house.packages) visit(room, [])
  return problems
}

// ----------------------------------------------------------------------------------------------------------- algorithms

/** An algorithm exports a `protocol` or a `card`, or holds an object with `init` and `onMessage`, as protocols do. */
const isAlgorithm = (room: Room, file: SourceFile): boolean =>
  isSource(room, file) &&
  !Floors.verification.has(room.room) &&
  (file.exports.has("protocol") || file.exports.has("card") || protocols(file).length > 0)

/** The objects of a file that are protocols. */
const protocols = (file: SourceFile): ReadonlyArray<AnyNode> => {
  const found: Array<AnyNode> = []
  walk(file.program, (node) => {
    if (node.type !== "ObjectExpression") return
    const keys = new Set((node.properties as Array<AnyNode>).map(({ key }) => (key as AnyNode | undefined)?.name))
    if (keys.has("init") && keys.has("onMessage")) found.push(node)
  })
  return found
}

const checkAlgorithm = (house: House, room: Room, file: SourceFile): ReadonlyArray<Problem> => [
  ...file.imports.flatMap((statement) => checkAlgorithmImport(house, room, file, statement)),
  ...checkVariables(file),
  ...checkReferencesOf(file, file.program),
  ...checkHandlers(house, file)
]

const checkAlgorithmImport = (
  house: House,
  room: Room,
  file: SourceFile,
  { specifier, bindings, line }: Import
): ReadonlyArray<Problem> => {
  const problem = (message: string): ReadonlyArray<Problem> => [{ file: file.path, line, rule: "algorithm", message }]
  if (isNode(specifier)) return problem(`An algorithm does no I/O: drop "${specifier}"; a layer elsewhere may do it.`)
  if (specifier.startsWith(".")) {
    const other = house.files.get(target(file, specifier))
    // A frame that several algorithms fill in is a protocol too, and nobody's own.
    if (other === undefined || !isAlgorithm(room, other) || other.path.includes("/src/internal/")) return []
    return problem(`${other.path} is another algorithm. Move what both need to src/internal/, or use its service.`)
  }
  const { name } = split(specifier)
  const other = house.byName.get(name)
  if (other === undefined || other === room) return []
  if (other.room === "transport") {
    const carriers = specifier === name ? bindings.filter(({ imported }) => !Floors.transportSeam.has(imported)) : [{}]
    if (carriers.length === 0) return []
    return problem(
      `"${specifier}" brings in what carries the messages. Use the Transport service; apps choose its layer.`
    )
  }
  const index = house.files.get(`${other.path}/src/index.ts`)
  const foreign = index?.reexports.find(({ exported, specifier: origin }) => {
    const behind = house.files.get(target(index, origin))
    return behind !== undefined && isAlgorithm(other, behind) && bindings.some(({ imported }) => imported === exported)
  })
  if (foreign === undefined) return []
  return problem(`${foreign.exported} of ${name} is another algorithm. Use the service that it is a layer for.`)
}

/** State lives in the state: a variable of the file would be shared by all nodes and survive crashes. */
const checkVariables = (file: SourceFile): ReadonlyArray<Problem> =>
  file.program.body.flatMap((statement): ReadonlyArray<Problem> => {
    const node = statement as AnyNode
    const declaration = node.type === "ExportNamedDeclaration" ? (node.declaration as AnyNode | null) : node
    if (declaration?.type !== "VariableDeclaration" || declaration.kind === "const") return []
    const message = "A variable outside the state is shared by all nodes of a process. Make it a field of State."
    return [{ file: file.path, line: file.lineOf(node.start), rule: "algorithm", message }]
  })

/** Time and chance, wherever in the file: its layer runs under the simulator too. */
const checkReferencesOf = (file: SourceFile, root: unknown): ReadonlyArray<Problem> =>
  references(file, root).flatMap((reference): ReadonlyArray<Problem> => {
    const instead = impurity(file, reference)
    if (instead === undefined) return []
    const message = `"${spell(reference)}" differs from run to run: ${instead}.`
    return [{ file: file.path, line: file.lineOf(reference.offset), rule: "algorithm", message }]
  })

const impurity = (file: SourceFile, reference: Reference): string | undefined => {
  if (!reference.declared) {
    return Floors.impureGlobals.get(reference.name) ?? Floors.impureGlobals.get(spell(reference))
  }
  const [module, name] = effectName(file, reference) ?? []
  if (module === undefined) return undefined
  const impure = Floors.impureModules.has(module) || Floors.impureFunctions.has(`${module}.${name}`)
  return impure ? "time and chance come in through act.now(), act.random() and act.setTimer()" : undefined
}

const spell = ({ name, member }: Reference): string => (member === undefined ? name : `${name}.${member}`)

/** The module of effect, and the name in it, that a reference means: `["Clock", "currentTimeMillis"]`. */
const effectName = (
  file: SourceFile,
  { name, member }: Reference
): readonly [string, string | undefined] | undefined => {
  for (const { specifier, bindings } of file.imports) {
    const binding = bindings.find(({ local }) => local === name)
    if (binding === undefined || split(specifier).name !== "effect") continue
    const module = specifier.slice("effect/".length).split("/").at(-1)!
    if (module === "") return binding.imported === "*" ? [member ?? "*", undefined] : [binding.imported, member]
    return binding.imported === "*" ? [module, member] : [module, binding.imported]
  }
  return undefined
}

/** What the handlers reach, in this file and in the package's helpers, is plain synchronous code. */
const checkHandlers = (house: House, file: SourceFile): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  const seen = new Set<unknown>()
  const visit = (at: SourceFile, node: AnyNode): void => {
    if (seen.has(node)) return
    seen.add(node)
    if (at !== file) problems.push(...checkReferencesOf(at, node))
    problems.push(...checkSynchronous(at, node))
    const declarations = topLevel(at)
    for (const reference of references(at, node)) {
      const declaration = declarations.get(reference.name)
      if (declaration !== undefined) visit(at, declaration)
      else if (reference.declared) follow(at, reference)
    }
  }
  const follow = (at: SourceFile, reference: Reference): void => {
    const [module] = effectName(at, reference) ?? []
    if (module !== undefined && !Floors.pureModules.has(module)) {
      const message = `A handler reaches "${spell(reference)}" of effect: a handler is synchronous and pure. Ask through act.`
      problems.push({ file: at.path, line: at.lineOf(reference.offset), rule: "handler", message })
    }
    const statement = at.imports.find(({ bindings }) => bindings.some(({ local }) => local === reference.name))
    const other = statement === undefined ? undefined : house.files.get(target(at, statement.specifier))
    if (other === undefined || !statement!.specifier.startsWith(".")) return
    const { imported } = statement!.bindings.find(({ local }) => local === reference.name)!
    const exported = imported === "*" ? reference.member : imported
    const declaration = topLevel(other).get(other.exports.get(exported ?? "") ?? "")
    if (declaration !== undefined) visit(other, declaration)
  }
  for (const protocol of protocols(file)) visit(file, protocol)
  return problems
}

const checkSynchronous = (file: SourceFile, node: AnyNode): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  walk(node, (inner) => {
    const waits = inner.async === true || inner.generator === true || inner.type === "AwaitExpression"
    if (!waits) return
    const message =
      "A handler is a plain function: no async, await or generator. Ask through act, and go on at the next input."
    problems.push({ file: file.path, line: file.lineOf(inner.start), rule: "handler", message })
  })
  return problems
}

// ---------------------------------------------------------------------------------------------------------- the command

if (import.meta.main) {
  const problems = check(root)
  for (const problem of problems) console.error(format(problem))
  const files = packagesOf(root).reduce((count, room) => count + filesOf(root, room).length, 0)
  console.log(
    problems.length === 0 ? `boundaries: every wall stands in ${files} files` : `boundaries: ${problems.length} broken`
  )
  process.exitCode = problems.length === 0 ? 0 : 1
}
