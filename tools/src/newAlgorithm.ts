/**
 * Starts an algorithm: `npm run new:algorithm -- mutex TokenRing` writes a small one that works, with its test, and makes
 * it known to its package and to the command line. From there on it is rewritten, not filled in.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Floors from "./Floors.ts"
import { type Manifest, readJson, root as workspace } from "./Workspace.ts"

/** What is to be written: everything, or nothing. */
export type Plan =
  | { readonly _tag: "Refused"; readonly reason: string }
  | { readonly _tag: "Accepted"; readonly files: ReadonlyMap<string, string>; readonly next: ReadonlyArray<string> }

/** The packages whose algorithms are layers for a service, and so have a template of their own. */
const services = new Set(["mutex", "election"])

const marker = "// new:algorithm adds here"

export const plan = (root: string, room: string | undefined, name: string | undefined): Plan => {
  const reason = refusal(root, room, name)
  if (reason !== undefined || room === undefined || name === undefined)
    return { _tag: "Refused", reason: reason ?? usage }
  const isNew = !existsSync(join(root, `packages/${room}/package.json`))
  const template = (kind: string): string =>
    fill(readTemplate(services.has(room) && !isNew ? room : "generic", kind), room, name)
  const files = new Map([
    ...(isNew ? skeleton(root, room, name) : extended(root, room, name)),
    [`packages/${room}/src/${name}.ts`, template("ts.txt")],
    [`packages/${room}/test/${name}.test.ts`, template("test.ts.txt")]
  ])
  const registry = services.has(room) ? registered(root, room, name) : undefined
  if (registry !== undefined) files.set(registryFile, registry)
  return { _tag: "Accepted", files, next: steps(room, name, isNew, registry !== undefined) }
}

const usage = "Say which package and which algorithm: npm run new:algorithm -- mutex TokenRing"

const refusal = (root: string, room: string | undefined, name: string | undefined): string | undefined => {
  if (room === undefined || name === undefined) return usage
  const rooms = algorithmRooms()
  if (!rooms.includes(room)) {
    return `"${room}" is no package for algorithms. Those are: ${rooms.join(", ")}. Another needs a floor first, in tools/src/Floors.ts.`
  }
  if (!/^[A-Z][A-Za-z0-9]*$/.test(name)) {
    return `"${name}" cannot name an algorithm. Use letters and digits, each word with a capital: TokenRing.`
  }
  const source = join(root, `packages/${room}/src`)
  const taken = existsSync(source) ? readdirSync(source).map((file) => file.replace(/\.ts$/, "")) : []
  const other = taken.find((file) => file.toLowerCase() === name.toLowerCase())
  if (other !== undefined) return `packages/${room}/src/${other}.ts exists already. Choose another name.`
  return importedBy(services.has(room) ? room : "generic").has(name)
    ? `"${name}" stands for something else in every algorithm of this package. Choose another name.`
    : undefined
}

/** The names that a template imports. */
const importedBy = (kind: string): ReadonlySet<string> => {
  const texts = ["ts.txt", "test.ts.txt"].map((suffix) => readTemplate(kind, suffix)).join("\n")
  const lists = [...texts.matchAll(/^import (?:type )?\{ (.*) \} from/gm)].map(([, names]) => names!)
  return new Set(lists.flatMap((names) => names.split(", ").map((name) => name.replace("type ", ""))))
}

/** All above the driver that are not for verification. */
const algorithmRooms = (): ReadonlyArray<string> =>
  Floors.floors
    .slice(Floors.floors.findIndex((rooms) => rooms.includes("actor")) + 1)
    .flat()
    .filter((room) => !Floors.verification.has(room))

// ------------------------------------------------------------------------------------------------------------ the files

const readTemplate = (kind: string, suffix: string): string =>
  readFileSync(join(import.meta.dirname, `../templates/${kind}.${suffix}`), "utf8")

const fill = (text: string, room: string, name: string): string =>
  text
    .replaceAll("{{Name}}", name)
    .replaceAll("{{name}}", words(name).join("-").toLowerCase())
    .replaceAll(
      "{{Title}}",
      words(name)
        .map((word, at) => (at === 0 ? word : word.toLowerCase()))
        .join(" ")
    )
    .replaceAll("{{package}}", room)

/** `TokenRing2` is `Token`, `Ring2`; `CRDTSet` is `CRDT`, `Set`. */
const words = (name: string): ReadonlyArray<string> => name.match(/[A-Z]+(?![a-z])[0-9]*|[A-Z][a-z0-9]*/g) ?? [name]

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** What changes in a package that is there. */
const extended = (root: string, room: string, name: string): ReadonlyArray<readonly [string, string]> => {
  const index = `packages/${room}/src/index.ts`
  const manifest = `packages/${room}/package.json`
  const text = existsSync(join(root, index)) ? readFileSync(join(root, index), "utf8") : ""
  return [
    [index, `${text}export * as ${name} from "./${name}.ts"\n`],
    ...(testsOnSimulation(root, manifest) ? [] : [[manifest, withSimulation(root, manifest)] as const])
  ]
}

const simulation = "@troupe/simulation"

const testsOnSimulation = (root: string, manifest: string): boolean =>
  simulation in (readJson<Manifest>(join(root, manifest)).devDependencies ?? {})

const withSimulation = (root: string, manifest: string): string => {
  const { devDependencies, ...rest } = readJson<Manifest>(join(root, manifest))
  return json({ ...rest, devDependencies: { ...devDependencies, [simulation]: versionOf(root, "simulation") } })
}

const versionOf = (root: string, room: string): string =>
  `^${readJson<Manifest>(join(root, `packages/${room}/package.json`)).version}`

/** A package that is not there yet. */
const skeleton = (root: string, room: string, name: string): ReadonlyArray<readonly [string, string]> => {
  const entry = { "@troupe/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" }
  const manifest = {
    name: `@troupe/${room}`,
    version: "0.0.0",
    description: `Algorithms for ${room.replaceAll("-", " ")}.`,
    license: "MIT",
    type: "module",
    sideEffects: false,
    exports: { ".": entry },
    files: ["dist", "src", "!**/*.tsbuildinfo"],
    engines: { node: ">=22.19" },
    scripts: {
      build: "tsc -b",
      test: `vitest run --root ../.. packages/${room}/`,
      bench: `npm run -s --prefix ../.. bench -- ${room}`
    },
    dependencies: { "@troupe/actor": versionOf(root, "actor"), "@troupe/transport": versionOf(root, "transport") },
    devDependencies: { [simulation]: versionOf(root, "simulation") },
    peerDependencies: { effect: effectVersion(root) },
    publishConfig: { access: "public" }
  }
  const tsconfig = {
    extends: "../../tsconfig.base.json",
    compilerOptions: { rootDir: "src", outDir: "dist", tsBuildInfoFile: "dist/.tsbuildinfo" },
    include: ["src"],
    references: [{ path: "../actor" }, { path: "../transport" }]
  }
  return [
    [`packages/${room}/package.json`, json(manifest)],
    [`packages/${room}/tsconfig.json`, json(tsconfig)],
    [`packages/${room}/README.md`, `# @troupe/${room}\n\nAlgorithms for ${room.replaceAll("-", " ")}: ${name}.\n`],
    [`packages/${room}/LICENSE`, readFileSync(join(root, "LICENSE"), "utf8")],
    [`packages/${room}/src/index.ts`, `export * as ${name} from "./${name}.ts"\n`],
    ["tsconfig.json", referring(readFileSync(join(root, "tsconfig.json"), "utf8"), room)]
  ]
}

const effectVersion = (root: string): string =>
  readJson<Manifest>(join(root, "packages/actor/package.json")).peerDependencies?.effect ?? "*"

/** The root's tsconfig.json with one more reference, its layout as it was. */
const referring = (text: string, room: string): string =>
  text.replace(/("references": \[[^\]]*\})(\s*\])/, `$1,\n    { "path": "packages/${room}" }$2`)

// --------------------------------------------------------------------------------------------------------- the registry

const registryFile = "apps/troupe/src/algorithms.ts"

/** The command line's list with the algorithm in it; nothing where it has no place for one. */
const registered = (root: string, room: string, name: string): string | undefined => {
  const path = join(root, registryFile)
  const text = existsSync(path) ? readFileSync(path, "utf8") : ""
  const imported = new RegExp(`import \\{([^}]*)\\} from "@troupe/${room}"`).exec(text)
  if (!text.includes(marker) || imported === null) return undefined
  const names = [...imported[1]!.split(",").map((known) => known.trim()), name].toSorted().join(", ")
  return text
    .replace(imported[0], `import { ${names} } from "@troupe/${room}"`)
    .replace(new RegExp(`,?(\\s*)${marker}`), (_all, space: string) => `,${space}${room}(${name})${space}${marker}`)
}

const steps = (room: string, name: string, isNew: boolean, isRegistered: boolean): ReadonlyArray<string> => [
  ...(isNew ? ["npm install                      links the new package into the workspace"] : []),
  `npx vitest run packages/${room}    runs its test, which passes`,
  `packages/${room}/src/${name}.ts    rewrite its doc, messages, state, card and handlers`,
  `packages/${room}/test/${name}.test.ts    one test a rule of the paper`,
  ...(isRegistered
    ? [`npx troupe run ${room}/${words(name).join("-").toLowerCase()}    shows it`]
    : [`${registryFile}    add it there to see it on the command line`]),
  "npx changeset                    says what is new",
  "npm test                         checks everything"
]

// ---------------------------------------------------------------------------------------------------------- the command

/** Writes the files of a plan, laid out as the formatter has it. */
export const write = (root: string, files: ReadonlyMap<string, string>): void => {
  for (const [file, text] of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  const oxfmt = join(workspace, "node_modules/oxfmt/bin/oxfmt")
  execFileSync(process.execPath, [oxfmt, ...files.keys()], { cwd: root, stdio: "ignore" })
}

if (import.meta.main) {
  const [room, name] = process.argv.slice(2)
  const made = plan(workspace, room, name)
  if (made._tag === "Refused") {
    console.error(made.reason)
    process.exitCode = 1
  } else {
    write(workspace, made.files)
    for (const file of made.files.keys()) console.log(`wrote ${file}`)
    console.log(`\nNext:\n${made.next.map((step) => `  ${step}`).join("\n")}`)
  }
}
