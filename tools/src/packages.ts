/**
 * What is published works for whoever installs it: each package is packed, laid out in an empty folder with nothing but
 * what its package.json asks for, imported at every entry, and type-checked as Node and as bundlers resolve it.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { type Manifest, type Package, packagesOf, readJson, root } from "./Workspace.ts"

interface Packed {
  readonly manifest: Manifest
  readonly source: Package
  readonly tarball: string
  /** What is in it. */
  readonly files: ReadonlyArray<string>
}

type Problems = ReadonlyArray<string>

const tsc = join(root, "node_modules/typescript/bin/tsc")

/** Runs a command; what it prints where it fails is the problem. */
const run = async (what: string, command: string, options: ReadonlyArray<string>, cwd: string): Promise<Problems> => {
  try {
    await promisify(execFile)(command, options, { cwd })
    return []
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { readonly stdout?: string; readonly stderr?: string }
    return [`${what}:\n${`${stdout}${stderr}`.trim().replaceAll(/^/gm, "    ")}`]
  }
}

const pack = async (packages: ReadonlyArray<Package>, directory: string): Promise<ReadonlyArray<Packed>> => {
  const workspaces = packages.flatMap(({ path }) => ["-w", path])
  const options = ["pack", "--json", "--ignore-scripts", "--pack-destination", directory, ...workspaces]
  const { stdout } = await promisify(execFile)("npm", options, { cwd: root, maxBuffer: 2 ** 26 })
  const listed = JSON.parse(stdout) as ReadonlyArray<PackedFile> | Readonly<Record<string, PackedFile>>
  return Object.values(listed).map(({ name, filename, files }) => {
    const source = packages.find(({ manifest }) => manifest.name === name)!
    const paths = files.map(({ path }) => path)
    return { manifest: source.manifest, source, tarball: join(directory, filename), files: paths }
  })
}

interface PackedFile {
  readonly name: string
  readonly filename: string
  readonly files: ReadonlyArray<{ readonly path: string }>
}

const checkFiles = ({ files, source }: Packed): Problems => {
  const strange = files.filter(
    (file) => !/^(dist|src|examples)\/|^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(file)
  )
  const stale = files.filter((file) => /^dist\/.*\.js$/.test(file) && !files.includes(sourceOf(file)))
  return [
    ...[...strange, ...files.filter((file) => file.endsWith(".tsbuildinfo"))].map(
      (file) => `${file} should not be packed.`
    ),
    ...stale.map((file) => `${file} has no source any more. Delete ${source.path}/dist.`),
    ...files
      .filter((file) => /^dist\/(?!.*internal\/).*\.d\.ts$/.test(file) && files.includes(sourceOf(file)))
      .filter((file) => losesDoc(source, file))
      .map((file) => `${file} has lost the doc of its module. Leave a line free below it in ${sourceOf(file)}.`)
  ]
}

/** The compiler takes a module's doc for that of its first import, and drops it where types don't need that one. */
const losesDoc = ({ path }: Package, file: string): boolean => {
  const [source, types] = [sourceOf(file), file].map((each) => readFileSync(join(root, path, each), "utf8"))
  return source!.startsWith("/**") && !types!.startsWith("/**")
}

/** `dist/examples` is built from `examples`, all else in `dist` from `src`. */
const sourceOf = (file: string): string =>
  file
    .replace(/^dist\/(?=examples\/)/, "")
    .replace(/^dist\//, "src/")
    .replace(/\.(js|d\.ts)$/, ".ts")

/** Lays out what `npm install` of the package would: itself, what it depends on, and its peers. */
const install = async (packed: Packed, all: ReadonlyArray<Packed>, directory: string): Promise<Problems> => {
  const problems: Array<string> = []
  const seen = new Set<string>()
  const add = async ({ manifest, tarball }: Packed): Promise<void> => {
    if (seen.has(manifest.name)) return
    seen.add(manifest.name)
    const target = join(directory, "node_modules", manifest.name)
    mkdirSync(target, { recursive: true })
    problems.push(...(await run(`unpacking ${tarball}`, "tar", ["-xzf", tarball, "--strip-components=1"], target)))
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      const other = all.find((each) => each.manifest.name === name)
      if (other !== undefined) await add(other)
      else link(name)
    }
  }
  // From outside the workspace: as the workspace has it.
  const link = (name: string): void => {
    const target = join(directory, "node_modules", name)
    if (existsSync(target)) return
    mkdirSync(dirname(target), { recursive: true })
    symlinkSync(join(root, "node_modules", name), target)
  }
  await add(packed)
  const dependencies = Object.fromEntries(
    Object.entries({ ...packed.manifest.peerDependencies, [packed.manifest.name]: packed.manifest.version })
  )
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
  return problems
}

/** The entries that a program may import. */
const entriesOf = ({ name, exports = {} }: Manifest): ReadonlyArray<string> =>
  Object.keys(exports)
    .filter((entry) => entry !== "./package.json")
    .map((entry) => name + entry.slice(1))

const importAll = (entries: ReadonlyArray<string>, directory: string): Promise<Problems> => {
  const text = entries.map((entry) => `await import(${JSON.stringify(entry)})`).join("\n")
  return run("importing it fails", process.execPath, ["--input-type=module", "--eval", text], directory)
}

const typecheck = (resolution: "nodenext" | "bundler", entries: ReadonlyArray<string>, directory: string) => {
  const program = entries.map((entry, at) => `import * as entry${at} from ${JSON.stringify(entry)}`)
  const used = `export const entries = [${entries.map((_, at) => `entry${at}`).join(", ")}]`
  writeFileSync(join(directory, "program.ts"), [...program, used].join("\n"))
  const compilerOptions = {
    target: "ES2024",
    lib: ["ES2024", "ESNext.Disposable", "DOM"],
    module: resolution === "bundler" ? "preserve" : "nodenext",
    moduleResolution: resolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: []
  }
  const config = `tsconfig.${resolution}.json`
  writeFileSync(join(directory, config), JSON.stringify({ compilerOptions, files: ["program.ts"] }))
  return run(
    `type-checking it (${resolution}) fails`,
    process.execPath,
    [tsc, "-p", config, "--pretty", "false"],
    directory
  )
}

const lint = async ({ manifest }: Packed, directory: string): Promise<Problems> => {
  const pkgDir = join(directory, "node_modules", manifest.name)
  const { messages } = await publint({ pkgDir, pack: false, strict: true })
  const installed = readJson<Record<string, unknown>>(join(pkgDir, "package.json"))
  return messages.map((message) => `publint: ${formatMessage(message, installed, { color: false })}`)
}

/** Are the types wrong? To `import` alone: there is nothing to `require`. */
const checkTypes = async ({ tarball }: Packed): Promise<Problems> => {
  const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))))
  if (analysis.types === false) return ["There are no types in it."]
  return analysis.problems.flatMap((problem) => {
    const resolution = "resolutionKind" in problem ? problem.resolutionKind : undefined
    const isOld = "resolutionOption" in problem && problem.resolutionOption === "node10"
    const modern = !isOld && (resolution === undefined || resolution === "node16-esm" || resolution === "bundler")
    return modern && problem.kind !== "CJSResolvesToESM" ? [`types: ${JSON.stringify(problem)}`] : []
  })
}

const check = async (packed: Packed, all: ReadonlyArray<Packed>, scratch: string): Promise<Problems> => {
  const directory = join(scratch, packed.source.room)
  mkdirSync(directory)
  const installed = await install(packed, all, directory)
  if (installed.length > 0) return installed
  const entries = entriesOf(packed.manifest)
  const [imported, nodenext] = await Promise.all([
    importAll(entries, directory),
    typecheck("nodenext", entries, directory)
  ])
  const [bundler, linted] = await Promise.all([typecheck("bundler", entries, directory), lint(packed, directory)])
  return [...checkFiles(packed), ...imported, ...nodenext, ...bundler, ...linted, ...(await checkTypes(packed))]
}

/** What `tsc -b` builds: each package, and its examples where it has some. */
const projects = (packages: ReadonlyArray<Package>): ReadonlyArray<string> =>
  packages
    .flatMap(({ path }) => [path, `${path}/examples`])
    .filter((path) => existsSync(join(root, path, "tsconfig.json")))

const main = async (): Promise<number> => {
  const packages = packagesOf(root).filter(({ kind, manifest }) => kind === "package" && manifest.private !== true)
  const built = await run("tsc -b", process.execPath, [tsc, "-b", ...projects(packages)], root)
  for (const problem of built) console.error(problem)
  if (built.length > 0) return 1
  const scratch = mkdtempSync(join(tmpdir(), "troupe-packages-"))
  try {
    const all = await pack(packages, scratch)
    let failed = 0
    for (const packed of all) {
      const problems = await check(packed, all, scratch)
      for (const problem of problems) console.error(`${packed.source.path}: ${problem}`)
      if (problems.length > 0) failed++
    }
    console.log(`packages: ${all.length} packed, installed, imported and type-checked, ${failed} with problems`)
    return failed === 0 ? 0 : 1
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

if (import.meta.main) process.exit(await main())
