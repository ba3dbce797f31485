import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { check, type Problem } from "../src/boundaries.ts"
import { root } from "../src/Workspace.ts"

type Files = Readonly<Record<string, string>>

const made: Array<string> = []
afterEach(() => made.splice(0).forEach((directory) => rmSync(directory, { recursive: true })))

const manifest = (room: string, dependencies: ReadonlyArray<string>, entries: ReadonlyArray<string> = []): Files => ({
  [`packages/${room}/package.json`]: JSON.stringify({
    name: `@troupe/${room}`,
    version: "0.1.0",
    exports: Object.fromEntries([".", ...entries].map((entry) => [entry, {}])),
    dependencies: Object.fromEntries(dependencies.map((name) => [`@troupe/${name}`, "^0.1.0"])),
    peerDependencies: { effect: "^4.1.0" }
  }),
  [`packages/${room}/tsconfig.json`]: JSON.stringify({
    references: dependencies.map((name) => ({ path: `../${name}` }))
  })
})

/** A small house in which every wall stands. */
const house: Files = {
  "package.json": JSON.stringify({ name: "house", version: "0.0.0", devDependencies: { vitest: "*" } }),
  "tsconfig.json": JSON.stringify({
    references: ["transport", "actor", "simulation", "mutex", "gossip"].map((room) => ({ path: `packages/${room}` }))
  }),
  ...manifest("transport", [], ["./Tcp", "./testing"]),
  "packages/transport/src/index.ts": `import { Effect } from "effect"\nexport const Transport = Effect\nexport const Memory = {}`,
  "packages/transport/src/Tcp.ts": `import { connect } from "node:net"\nexport const tcp = connect`,
  "packages/transport/src/testing.ts": `export const suite = 1`,
  ...manifest("actor", ["transport"]),
  "packages/actor/src/index.ts": `import { Transport } from "@troupe/transport"\nimport { Effect } from "effect"\nexport const spawn = [Transport, Effect]`,
  ...manifest("simulation", ["actor"]),
  "packages/simulation/src/index.ts": `import { spawn } from "@troupe/actor"\nimport { Effect } from "effect"\nexport const run = [spawn, Effect]`,
  ...manifest("gossip", ["actor"]),
  "packages/gossip/src/Rumor.ts": `import { spawn } from "@troupe/actor"\nimport { Effect } from "effect"\nexport const card = {}\nexport const layer = [spawn, Effect]`,
  "packages/gossip/src/index.ts": `export * as Rumor from "./Rumor.ts"`,
  ...manifest("mutex", ["actor", "transport"]),
  "packages/mutex/src/index.ts": `export * as Central from "./Central.ts"\nexport * as Token from "./Token.ts"`,
  "packages/mutex/src/Token.ts": `export const card = {}\nexport const protocol = { init: () => 0, onMessage: (n: number) => n }`,
  "packages/mutex/src/internal/queue.ts": `import { Effect } from "effect"\nexport const add = (n: number) => n + 1\nexport const draw = () => Math.random()\nexport const log = () => Effect.log("x")`,
  "packages/mutex/src/Central.ts": `import { spawn } from "@troupe/actor"
import { type NodeId, Transport } from "@troupe/transport"
import { Effect, HashMap, Option } from "effect"
import { add } from "./internal/queue.ts"

export const protocol = {
  init: () => HashMap.empty<string, number>(),
  onMessage: (state: HashMap.HashMap<string, number>, date: Date, act: { now(): number }) => next(state)
}

const next = (state: HashMap.HashMap<string, number>) =>
  HashMap.set(state, "n", add(Option.getOrElse(HashMap.get(state, "n"), () => 0)))

export const layer = (at: NodeId) => Effect.map(Transport, () => spawn(protocol, at))
`
}

/** Lays out a house in a folder of its own, with these files changed, and checks it. */
const checkHouse = (changes: Files = {}): ReadonlyArray<Problem> => {
  const directory = mkdtempSync(join(tmpdir(), "troupe-house-"))
  made.push(directory)
  for (const [path, text] of Object.entries({ ...house, ...changes })) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  return check(directory)
}

const central = "packages/mutex/src/Central.ts"
const plant = (path: string, text: string): Files => ({ [path]: `${text}\n${house[path] ?? ""}` })
const inHandler = (text: string): Files => ({
  [central]: house[central]!.replace("=> next(state)", `=> { ${text}; return next(state) }`)
})

const assertProblem = (changes: Files, rule: string, file: string, text: string, line?: number): void => {
  const problems = checkHouse(changes)
  const found = problems.find(
    (problem) => problem.rule === rule && problem.file === file && problem.message.includes(text)
  )
  assert.isDefined(found, JSON.stringify(problems, undefined, 2))
  if (line !== undefined) assert.strictEqual(found!.line, line)
}

describe("boundaries", () => {
  it("finds nothing where every wall stands", () => assert.deepStrictEqual(checkHouse(), []))

  it("a room imports from lower floors only", () => {
    assertProblem(plant(central, `import "@troupe/gossip"`), "floor", central, "lower floor", 1)
    assertProblem(
      plant("packages/transport/test/a.test.ts", `import "@troupe/mutex"`),
      "floor",
      "packages/transport/test/a.test.ts",
      "lower"
    )
    assertProblem(manifest("attic", []), "floor", "packages/attic/package.json", "no floor")
  })

  it("types and dynamic imports count as imports", () => {
    assertProblem(plant(central, `export type A = import("@troupe/gossip").A`), "floor", central, "lower floor")
    assertProblem(plant(central, `export const a = () => import("@troupe/gossip")`), "floor", central, "lower floor")
    assertProblem(plant(central, `export * from "@troupe/gossip"`), "floor", central, "lower floor")
  })

  it("verification is for tests, benchmarks and apps", () => {
    assertProblem(plant(central, `import "@troupe/simulation"`), "verification", central, "only tests")
    assertProblem(plant(central, `import "@troupe/transport/testing"`), "verification", central, "only tests")
    const test = "packages/mutex/test/Central.test.ts"
    const declared = JSON.parse(house["packages/mutex/package.json"]!) as object
    const manifest = JSON.stringify({ ...declared, devDependencies: { "@troupe/simulation": "^0.1.0" } })
    assert.deepStrictEqual(
      checkHouse({ "packages/mutex/package.json": manifest, [test]: `import "@troupe/simulation"\nimport "vitest"` }),
      []
    )
  })

  it("a package is entered through its exports", () => {
    assertProblem(plant(central, `import "@troupe/actor/src/index.ts"`), "exports", central, "not exported")
    assertProblem(plant(central, `import "../../actor/src/index.ts"`), "exports", central, "leaves the package")
    assertProblem(
      plant("packages/mutex/test/a.test.ts", `import "../../actor/src/index.ts"`),
      "exports",
      "packages/mutex/test/a.test.ts",
      "leaves"
    )
  })

  it("what is imported is declared, and what is declared is imported", () => {
    assertProblem(plant(central, `import "vitest"`), "dependency", central, "does not name vitest")
    const unused = manifest("gossip", ["actor", "transport"])
    assertProblem(unused, "dependency", "packages/gossip/package.json", "@troupe/transport is not imported")
  })

  it("packages don't go round in a circle", () => {
    const declared = JSON.parse(house["packages/actor/package.json"]!) as object
    const circle = JSON.stringify({ ...declared, devDependencies: { "@troupe/simulation": "^0.1.0" } })
    const path = "packages/actor/package.json"
    assertProblem({ [path]: circle }, "cycle", path, "@troupe/actor → @troupe/simulation → @troupe/actor")
  })

  it("tests of verification, and of what it stands on, may import what they verify, and it", () => {
    const test = { "packages/simulation/test/a.test.ts": `import "@troupe/mutex"` }
    assert.deepStrictEqual(checkHouse(test), [])
    assert.deepStrictEqual(checkHouse({ "packages/actor/test/a.test.ts": `import "@troupe/simulation"` }), [])
    const source = plant("packages/simulation/src/index.ts", `import "@troupe/mutex"`)
    assertProblem(source, "floor", "packages/simulation/src/index.ts", "lower floor", 1)
  })

  it("tsconfig.json refers to what package.json depends on", () => {
    const lacking = { "packages/mutex/tsconfig.json": JSON.stringify({ references: [{ path: "../gossip" }] }) }
    assertProblem(lacking, "reference", "packages/mutex/tsconfig.json", "Add a reference to packages/actor")
    assertProblem(lacking, "reference", "packages/mutex/tsconfig.json", "Remove the reference to packages/gossip")
    assertProblem({ "tsconfig.json": "{}" }, "reference", "tsconfig.json", "packages/mutex")
  })
})

describe("an algorithm", () => {
  it("does not know what carries its messages", () => {
    assertProblem(
      plant(central, `import { Memory } from "@troupe/transport"`),
      "algorithm",
      central,
      "Transport service"
    )
    assertProblem(plant(central, `import * as All from "@troupe/transport"`), "algorithm", central, "Transport service")
    assertProblem(
      plant(central, `import * as Tcp from "@troupe/transport/Tcp"`),
      "algorithm",
      central,
      "Transport service"
    )
  })

  it("imports no Node module", () => {
    assertProblem(plant(central, `import { readFileSync } from "node:fs"`), "algorithm", central, "node:fs")
    assertProblem(plant(central, `import { readFileSync } from "fs"`), "algorithm", central, "no I/O")
  })

  it("knows no other algorithm from inside", () => {
    assertProblem(plant(central, `import { card } from "./Token.ts"`), "algorithm", central, "Token.ts is another")
    const replicated = {
      ...manifest("replication", ["gossip"]),
      "packages/replication/src/index.ts": `import { Rumor } from "@troupe/gossip"\nexport const card = Rumor`
    }
    assertProblem(replicated, "algorithm", "packages/replication/src/index.ts", "Rumor of @troupe/gossip")
  })

  it.each([
    "Date.now()",
    "new Date()",
    "Math.random()",
    "performance.now()",
    "setTimeout(() => {}, 1)",
    "setInterval(() => {}, 1)",
    "crypto.randomUUID()",
    "globalThis.Date",
    "process.hrtime()"
  ])("uses no clock and no chance: %s", (text) => {
    assertProblem(inHandler(text), "algorithm", central, "differs from run to run", 8)
    assertProblem(
      plant(central, `export const later = () => ${text}`),
      "algorithm",
      central,
      "differs from run to run",
      1
    )
  })

  it.each([
    [`import { Clock } from "effect"`, "Clock.currentTimeMillis"],
    [`import * as Chance from "effect/Random"`, "Chance.next"],
    [`import { next } from "effect/Random"`, "next"],
    [`import { DateTime } from "effect"`, "DateTime.now"],
    [`import * as All from "effect"`, "All.Clock"]
  ])("nor those of effect: %s", (statement, use) => {
    const problem = plant(central, `${statement}\nexport const later = ${use}`)
    assertProblem(problem, "algorithm", central, "differs from run to run", 2)
  })

  it("may call its own things by such names", () => {
    assert.deepStrictEqual(checkHouse(inHandler("const performance = { now: () => date }; performance.now()")), [])
    assert.deepStrictEqual(checkHouse(inHandler("const clock = { Date: 1, setTimeout: 2 }; clock.setTimeout")), [])
  })

  it("keeps its state in its state", () =>
    assertProblem(
      plant(central, "let rounds = 0\nexport const count = () => rounds++"),
      "algorithm",
      central,
      "State",
      1
    ))

  it("has handlers without Effect, in whatever they call", () => {
    assertProblem(inHandler("Effect.runSync(Effect.void)"), "handler", central, "Effect.runSync", 8)
    const helper = { [central]: house[central]!.replace("const next =", "const next = Effect.log; const rest =") }
    assertProblem(helper, "handler", central, "Effect.log", 11)
    const asynchronous = { [central]: house[central]!.replace("init: () =>", "init: async () =>") }
    assertProblem(asynchronous, "handler", central, "plain function", 7)
  })

  it("has handlers whose helpers in other files are pure too", () => {
    const draws = { [central]: house[central]!.replaceAll("add", "draw") }
    assertProblem(draws, "algorithm", "packages/mutex/src/internal/queue.ts", "Math.random", 3)
    const logs = { [central]: house[central]!.replaceAll("add", "log") }
    assertProblem(logs, "handler", "packages/mutex/src/internal/queue.ts", "Effect.log", 4)
  })

  it("is known by its protocol wherever that is made", () => {
    const factory = "packages/mutex/src/Factory.ts"
    const text = `export const make = (at: number) => ({ init: () => at, onMessage: () => Date.now() })`
    assertProblem({ [factory]: text }, "algorithm", factory, "Date.now", 1)
  })
})

describe("a copy of Ricart–Agrawala", () => {
  const path = "packages/mutex/src/RicartAgrawala.ts"
  const read = (file: string): Files => ({ [file]: readFileSync(join(root, file), "utf8") })
  const real: Files = {
    ...read(path),
    ...read("packages/mutex/src/Mutex.ts"),
    ...read("packages/mutex/src/internal/acquisition.ts")
  }
  const found = (changes: Files): ReadonlyArray<string> =>
    checkHouse({ ...real, ...changes })
      .filter(({ file, rule }) => file === path && (rule === "algorithm" || rule === "handler"))
      .map(({ line, message }) => `${line} ${message}`)
  const replaced = (from: string, to: string): Files => {
    assert.include(real[path]!, from)
    return { [path]: real[path]!.replace(from, to) }
  }

  const plantReal = (text: string): Files => ({ [path]: `${text}\n${real[path]!}` })

  it("stands as it is", () => assert.deepStrictEqual(found({}), []))

  it("falls when its handlers tell the time, draw lots, or reach for a transport", () => {
    const line = real[path]!.split("\n").findIndex((each) => each.includes("const time = state.time + 1")) + 1
    assert.match(
      found(replaced("const time = state.time + 1", "const time = Date.now()"))[0]!,
      new RegExp(`^${line} "Date.now"`)
    )
    assert.match(found(replaced("const time = state.time + 1", "const time = Math.random()"))[0]!, /"Math.random"/)
    assert.match(found(plantReal(`import { Memory } from "@troupe/transport"`))[0]!, /Transport service/)
    assert.match(found(plantReal(`import { createServer } from "node:net"`))[0]!, /node:net/)
  })
})
