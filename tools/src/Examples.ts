/**
 * Examples in Markdown and in docstrings: found, type-checked in one pass, run, and held to what they say they print.
 *
 * A block of Markdown that is marked `ts` is an example; `ts no-run` is compiled only. In source, it is what follows
 * `@example` in a docstring, up to the next tag or, where it is a block marked `ts`, that block. Each stands alone. `console.log(x) // text` prints that text; `f(x) // => value` has that
 * value. White space in either is as it may be.
 */
import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { parseSync } from "oxc-parser"
import { type AnyNode, walk } from "./Syntax.ts"
import { fromRoot, root } from "./Workspace.ts"

export interface Example {
  /** From the root. */
  readonly file: string
  /** Where its code starts. */
  readonly line: number
  readonly code: string
  readonly run: boolean
}

export interface Problem {
  readonly file: string
  readonly line: number
  readonly message: string
}

// ------------------------------------------------------------------------------------------------------------- finding

export interface Fence {
  readonly line: number
  readonly language: string
  readonly marks: ReadonlyArray<string>
  readonly code: string
}

/** The fenced blocks of a Markdown text. */
export const fences = (text: string): ReadonlyArray<Fence> => {
  const found: Array<Fence> = []
  const lines = text.split("\n")
  for (let at = 0; at < lines.length; at++) {
    const [, indent, ticks, info] = /^(\s*)(`{3,})\s*(.*)$/.exec(lines[at]!) ?? []
    if (ticks === undefined) continue
    const start = at + 1
    const isEnd = (line: string): boolean => line.trim() === ticks
    while (++at < lines.length && !isEnd(lines[at]!));
    const code = lines.slice(start, at).map((line) => (line.startsWith(indent!) ? line.slice(indent!.length) : line))
    const [language = "", ...marks] = info!.trim().split(/\s+/)
    found.push({ line: start + 1, language, marks, code: code.join("\n") })
  }
  return found
}

export const inMarkdown = (file: string, text: string): ReadonlyArray<Example> =>
  fences(text)
    .filter(({ language }) => language === "ts" || language === "typescript")
    .map(({ line, code, marks }) => ({ file, line, code, run: !marks.includes("no-run") }))

/** The `@example`s in the docstrings of a source text. A tag at the start of a line ends one. */
export const inSource = (file: string, text: string): ReadonlyArray<Example> => {
  const lineOf = (offset: number): number => text.slice(0, offset).split("\n").length
  return parseSync(file, text)
    .comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"))
    .flatMap(({ value, start }) => {
      const lines = value.split("\n").map((line) => line.replace(/^\s*\* ?/, ""))
      return lines.flatMap((line, at): ReadonlyArray<Example> => {
        if (!line.startsWith("@example")) return []
        const end = lines.findIndex((other, index) => index > at && /^@[a-z]/i.test(other))
        const body = lines.slice(at + 1, end < 0 ? undefined : end).join("\n")
        const first = lineOf(start) + at + 1
        if (!body.includes("```")) return [{ file, line: first, code: body, run: true }]
        return inMarkdown(file, body).map((example) => ({ ...example, line: example.line + first - 1 }))
      })
    })
}

// ------------------------------------------------------------------------------------------------------------ checking

/** Compiles and runs examples, in a folder of the workspace so that they find its packages. */
export const check = async (
  examples: ReadonlyArray<Example>,
  folder = join(root, ".check/examples")
): Promise<ReadonlyArray<Problem>> => {
  rmSync(folder, { recursive: true, force: true })
  try {
    const written = examples.map((example) => write(folder, example))
    const problems = await typecheck(folder, written)
    return problems.length > 0
      ? problems
      : await inTurns(
          2,
          written.filter(({ run }) => run),
          execute
        )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Written extends Example {
  readonly typed: string
  readonly runnable: string
}

/** Each line of the example stays where it is in its document, so that errors name the right one. */
const write = (folder: string, example: Example): Written => {
  const name = `${example.file}.${example.line}.ts`
  const typed = join(folder, "types", name)
  const runnable = join(folder, "run", name)
  mkdirSync(dirname(typed), { recursive: true })
  mkdirSync(dirname(runnable), { recursive: true })
  const above = "\n".repeat(example.line - 1)
  writeFileSync(typed, `${above}${example.code}\nexport {}\n`)
  writeFileSync(runnable, `import ${JSON.stringify(expectation)};${above}${expecting(example)}\nexport {}\n`)
  return { ...example, typed, runnable }
}

const expectation = join(import.meta.dirname, "Expectation.ts")

const typecheck = async (folder: string, written: ReadonlyArray<Written>): Promise<ReadonlyArray<Problem>> => {
  const config = join(folder, "tsconfig.json")
  const off = Object.fromEntries(
    ["composite", "declaration", "declarationMap", "sourceMap", "noUnusedLocals", "noUnusedParameters"].map(
      (option) => [option, false]
    )
  )
  const compilerOptions = { ...off, noEmit: true, types: ["node"] }
  const base = join(root, "tsconfig.base.json")
  writeFileSync(config, JSON.stringify({ extends: base, compilerOptions, include: ["types"] }))
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  const { output, code } = await run([tsc, "-p", config, "--pretty", "false"], 120)
  if (code === 0) return []
  const problems = output.split("\n").flatMap((line): ReadonlyArray<Problem> => {
    const [, path, at, message] = /^(.+?)\((\d+),\d+\): (.*)$/.exec(line) ?? []
    if (path === undefined) return []
    const example = written.find(({ typed }) => fromRoot(root, typed) === fromRoot(root, join(process.cwd(), path)))
    return [{ file: example?.file ?? path, line: Number(at), message: message! }]
  })
  if (problems.length === 0) return [{ file: "tsconfig.json", line: 1, message: output }]
  // Where prose was taken for code each word is an error: the first of an example tell enough.
  return problems.filter((problem, at) => problems.findIndex(({ file }) => file === problem.file) > at - 3)
}

const secondsAllowed = 30

const execute = async (example: Written): Promise<ReadonlyArray<Problem>> => {
  const { output, code, killed } = await run(["--conditions=@troupe/source", example.runnable], secondsAllowed)
  if (code === 0) return []
  const misses = [...output.matchAll(/^expectation:(\d+):(.*)$/gm)].map(([, line, message]) => ({
    file: example.file,
    line: Number(line),
    message: message!
  }))
  if (misses.length > 0) return misses
  const message = killed ? `The example did not end within ${secondsAllowed} s.` : `The example failed:\n${output}`
  return [{ file: example.file, line: example.line, message: message.replaceAll(example.runnable, example.file) }]
}

interface Outcome {
  readonly code: number
  readonly output: string
  readonly killed: boolean
}

const run = async (options: ReadonlyArray<string>, seconds: number): Promise<Outcome> => {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, options, { timeout: seconds * 1000 })
    return { code: 0, output: stdout + stderr, killed: false }
  } catch (error) {
    const failure = error as { readonly stdout?: string; readonly stderr?: string; readonly killed?: boolean }
    return { code: 1, output: `${failure.stdout ?? ""}${failure.stderr ?? ""}`, killed: failure.killed === true }
  }
}

const inTurns = async <A, B>(
  atOnce: number,
  items: ReadonlyArray<A>,
  each: (item: A) => Promise<ReadonlyArray<B>>
): Promise<ReadonlyArray<B>> => {
  const results: Array<ReadonlyArray<B>> = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await each(items[at]!)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results.flat()
}

// -------------------------------------------------------------------------------------------------------- expectations

/** The example with each `console.log(x) // text` and `x // => value` handed to `Expectation.ts`. */
const expecting = ({ code, line, file }: Example): string => {
  const { program, comments } = parseSync(`${file}.ts`, code)
  const edits: Array<{ readonly at: number; readonly until: number; readonly text: string }> = []
  const lineAt = (offset: number): number => line + code.slice(0, offset).split("\n").length - 1
  const commentAfter = (end: number): string | undefined => {
    const comment = comments.find(({ start, type }) => type === "Line" && start >= end)
    return comment !== undefined &&
      code.slice(end, comment.start).trim() === "" &&
      !code.slice(end, comment.start).includes("\n")
      ? comment.value.trim()
      : undefined
  }
  const wrap = (node: AnyNode, expected: string): void => {
    const call = `expectedValue(${lineAt(node.end)}, ${JSON.stringify(expected)}, `
    edits.push({ at: node.start, until: node.start, text: call }, { at: node.end, until: node.end, text: ")" })
  }
  walk(program, (node) => {
    if (node.type !== "ExpressionStatement" && node.type !== "VariableDeclaration") return
    const comment = commentAfter(node.end)
    if (comment === undefined) return
    const value = (node.expression ?? (node.declarations as ReadonlyArray<AnyNode>).at(-1)!.init) as AnyNode | null
    const callee = value?.type === "CallExpression" ? (value.callee as AnyNode) : undefined
    if (callee !== undefined && code.slice(callee.start, callee.end) === "console.log") {
      const text = `expectedLog(${lineAt(node.end)}, ${JSON.stringify(comment.replace(/^=>\s*/, ""))})`
      edits.push({ at: callee.start, until: callee.end, text })
    } else if (value !== null && comment.startsWith("=>")) wrap(value, comment.slice(2).trim())
  })
  let text = code
  for (const edit of edits.toSorted((a, b) => b.at - a.at))
    text = text.slice(0, edit.at) + edit.text + text.slice(edit.until)
  const expected = [...text.matchAll(/expected(?:Log|Value)\((\d+)/g)].map(([, at]) => at)
  return expected.length === 0 ? text : `expectedLines(${expected.join(", ")});${text}`
}
