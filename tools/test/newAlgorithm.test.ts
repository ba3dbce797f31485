import { spawnSync } from "node:child_process"
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { check } from "../src/boundaries.ts"
import { plan, write } from "../src/newAlgorithm.ts"
import { root } from "../src/Workspace.ts"

/** Inside the workspace, so that its packages and tools are found from there. */
const copy = join(root, ".check/new-algorithm")

const generate = (room: string, name: string): ReadonlyArray<string> => {
  const made = plan(copy, room, name)
  assert(made._tag === "Accepted")
  write(copy, made.files)
  return [...made.files.keys()]
}

const run = (bin: string, ...options: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [join(root, "node_modules", bin), ...options], { cwd: copy, encoding: "utf8" })

describe("new:algorithm", () => {
  const written: Array<string> = []

  beforeAll(() => {
    rmSync(copy, { recursive: true, force: true })
    const files = [
      "*.json",
      ".ox*",
      "LICENSE",
      "vitest.config.ts",
      "{packages,apps}/*/*.json",
      "packages/*/examples/*",
      "{packages,apps}/*/src/**/*.ts"
    ]
    // Without a package of the name that is to be new here.
    for (const file of globSync(files, { cwd: root, exclude: ["packages/gossip"] })) {
      mkdirSync(dirname(join(copy, file)), { recursive: true })
      cpSync(join(root, file), join(copy, file))
    }
    written.push(
      ...generate("mutex", "CentralServer"),
      ...generate("election", "Fixed"),
      ...generate("gossip", "Flooding2")
    )
  })

  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  it("writes a file, its test, and what makes it known", () => {
    const expected = [
      "packages/mutex/src/CentralServer.ts",
      "packages/mutex/test/CentralServer.test.ts",
      "packages/mutex/src/index.ts"
    ]
    assert.includeMembers(written, [
      ...expected,
      "packages/gossip/package.json",
      "packages/gossip/tsconfig.json",
      "tsconfig.json"
    ])
    const read = (file: string): string => readFileSync(join(copy, file), "utf8")
    assert.include(read("packages/mutex/src/index.ts"), `export * as CentralServer from "./CentralServer.ts"`)
    assert.include(read("packages/mutex/src/CentralServer.ts"), `name: "mutex/central-server"`)
    assert.include(read("packages/mutex/src/CentralServer.ts"), `title: "Central server"`)
    assert.include(read("tsconfig.json"), `{ "path": "packages/gossip" }`)
  })

  it("adds it to the command line's list", () => {
    const list = readFileSync(join(copy, "apps/troupe/src/algorithms.ts"), "utf8")
    assert.match(list, /import \{[^}]*\bCentralServer,[^}]*\bRicartAgrawala\b[^}]*\} from "@troupe\/mutex"/)
    assert.match(list, /,\s+mutex\(CentralServer\),\s+election\(Fixed\)\s+\/\/ new:algorithm adds here\n\]/)
  })

  it("makes what type-checks", () => {
    const compilerOptions = {
      composite: false,
      declaration: false,
      declarationMap: false,
      noEmit: true,
      types: ["node"]
    }
    const config = {
      extends: "./tsconfig.base.json",
      compilerOptions,
      include: written.filter((file) => /^packages.*\.ts$/.test(file))
    }
    writeFileSync(join(copy, "tsconfig.generated.json"), JSON.stringify(config))
    const { status, stdout } = run("typescript/bin/tsc", "-p", "tsconfig.generated.json")
    assert.strictEqual(status, 0, stdout)
  })

  it("makes what the formatter and the linter accept", () => {
    const sources = written.filter((file) => file.endsWith(".ts") && file.startsWith("packages"))
    const format = run("oxfmt/bin/oxfmt", "--check", ...sources)
    assert.strictEqual(format.status, 0, format.stdout + format.stderr)
    const lint = run("oxlint/bin/oxlint", "--deny-warnings", ...sources)
    assert.strictEqual(lint.status, 0, lint.stdout)
  })

  it("makes what keeps the walls", () => {
    const problems = check(copy).filter(({ file, rule }) => written.includes(file) || rule === "cycle")
    assert.deepStrictEqual(problems, [])
  })

  it("makes tests that pass", () => {
    const tests = written.filter((file) => file.endsWith(".test.ts"))
    const { status, stdout, stderr } = run("vitest/vitest.mjs", "run", "--root", copy, ...tests)
    assert.strictEqual(status, 0, stdout + stderr)
    assert.match(stdout, /3 passed/)
  })

  it.each([
    [undefined, undefined, "Say which package"],
    ["mutex", undefined, "Say which package"],
    ["mutx", "Token", "no package for algorithms"],
    ["simulation", "Token", "no package for algorithms"],
    ["../mutex", "Token", "no package for algorithms"],
    ["mutex", "tokenRing", "cannot name an algorithm"],
    ["mutex", "Token-Ring", "cannot name an algorithm"],
    ["mutex", "../Token", "cannot name an algorithm"],
    ["mutex", "Ricartagrawala", "exists already"],
    ["mutex", "Mutex", "exists already"],
    ["mutex", "Actor", "stands for something else"],
    ["mutex", "FencingToken", "stands for something else"],
    ["election", "Layer", "stands for something else"],
    ["gossip", "Schema", "stands for something else"]
  ])("refuses %s %s", (room, name, reason) => {
    const made = plan(copy, room, name)
    assert(made._tag === "Refused")
    assert.include(made.reason, reason)
  })

  it("says so, and writes nothing", () => {
    const { status, stderr, stdout } = run("../tools/src/newAlgorithm.ts", "mutex", "token")
    assert.strictEqual(status, 1)
    assert.include(stderr, "cannot name an algorithm")
    assert.strictEqual(stdout, "")
    assert.isFalse(existsSync(join(root, "packages/mutex/src/token.ts")))
  })
})
