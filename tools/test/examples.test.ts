import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as Examples from "../src/Examples.ts"
import { unknownCommands } from "../src/readmes.ts"
import { root } from "../src/Workspace.ts"

const ticks = "```"
const document = (mark: string, code: string): string => `# Title\n\n${ticks}${mark}\n${code}\n${ticks}\n`

const check = (text: string): Promise<ReadonlyArray<Examples.Problem>> =>
  Examples.check(Examples.inMarkdown("doc/README.md", text), join(root, ".check/examples-test"))

describe("examples", () => {
  it("are found in Markdown, indented too, with their lines", () => {
    const text = `${document("ts", "1")}\n- list\n\n  ${ticks}ts no-run\n  two()\n    three()\n  ${ticks}\n${document("sh", "ls")}`
    assert.deepStrictEqual(Examples.inMarkdown("a.md", text), [
      { file: "a.md", line: 4, code: "1", run: true },
      { file: "a.md", line: 10, code: "two()\n  three()", run: false }
    ])
  })

  it("are found in docstrings, plain or fenced", () => {
    const plain = "/**\n * Adds.\n *\n * @example\n * add(1)\n *   .to(2)\n *\n * @since 1\n */\nexport const a = 1"
    assert.deepStrictEqual(Examples.inSource("a.ts", plain), [
      { file: "a.ts", line: 5, code: "add(1)\n  .to(2)\n", run: true }
    ])
    const fenced = `/**\n * @example\n * First:\n * ${ticks}ts\n * add(1)\n * ${ticks}\n * And so on.\n */\nexport const a = 1`
    assert.deepStrictEqual(Examples.inSource("a.ts", fenced), [{ file: "a.ts", line: 5, code: "add(1)", run: true }])
  })

  it("may print what they say", async () => {
    const code = [
      `import { Option } from "effect"`,
      `console.log("a", { b: 1 }) // a { b: 1 }`,
      `const sum = 1 + 1 // => 2`,
      `Option.some(sum) // => some(2)`,
      `await Promise.resolve("x") // => "x"`,
      `console.log(`,
      `  sum`,
      `) // 2`
    ]
    assert.deepStrictEqual(await check(document("ts", code.join("\n"))), [])
  })

  it.each([
    ["that don't compile", `const a: number = "a"`, 4, "TS2322"],
    ["that import what is not there", `import { Nothing } from "@troupe/transport"\nNothing`, 4, "Nothing"],
    ["that throw", `throw new Error("so")`, 4, "so"],
    ["that print something else", `\nconsole.log(1 + 1) // 3`, 5, `It says "3", but it is "2".`],
    ["that have another value", `const a = 1 // => 2`, 4, `It says "2", but it is "1".`],
    ["that don't get there", `const a: number = 2\nif (a > 2) {\n  console.log(a) // 2\n}`, 6, "not reached"]
  ])("fail %s", async (_name, code, line, message) => {
    const [problem] = await check(document("ts", code))
    assert.deepInclude(problem, { file: "doc/README.md", line })
    assert.include(problem!.message, message)
  })

  it("are compiled only where marked so", async () => {
    assert.deepStrictEqual(await check(document("ts no-run", `throw new Error("so")`)), [])
    assert.lengthOf(await check(document("ts no-run", `const a: string = 1`)), 1)
  })
})

describe("commands in documents", () => {
  const known = { scripts: new Set(["lint", "new:algorithm"]), troupe: (command: string) => command === "list" }

  it("exist", () => {
    const text =
      "Run `npm ci`, `npm test`,\n`npm run lint` and `npm run new:algorithm -- mutex Token`, then `npx troupe list`."
    assert.deepStrictEqual(unknownCommands("a.md", text, known), [])
    const wrong = "`npm run lnit`\n`npx troupe lsit`\n`npm tset`"
    assert.deepStrictEqual(
      unknownCommands("a.md", wrong, known).map(({ line, message }) => `${line} ${message}`),
      [`1 There is no "npm run lnit".`, `2 There is no "npx troupe lsit".`, `3 There is no "npm tset".`]
    )
  })
})
