/**
 * What the documents show works: their examples, those in docstrings, and the commands that they name.
 */
import { execFileSync } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Examples from "./Examples.ts"
import { type Manifest, readJson, root, slashes } from "./Workspace.ts"

const documents = ["README.md", "CONTRIBUTING.md", "packages/*/README.md", "apps/*/README.md"]
const sources = ["packages/*/{src,examples}/**/*.ts"]

/** The commands of npm itself. */
const npmCommands = /^(ci|install|i|add|test|t|start|run|exec|publish|pack|init|create|update)$/

/** Commands in a document that are neither scripts of the root nor commands of `troupe`. */
export const unknownCommands = (
  file: string,
  text: string,
  known: { readonly scripts: ReadonlySet<string>; readonly troupe: (command: string) => boolean }
): ReadonlyArray<Examples.Problem> =>
  text.split("\n").flatMap((line, at) =>
    [...line.matchAll(/\b(npm run(?: -s)?|npm|npx troupe) ([a-z][\w:-]*)/g)].flatMap(([, tool, command]) => {
      const exists =
        tool === "npm"
          ? npmCommands.test(command!)
          : tool === "npx troupe"
            ? known.troupe(command!)
            : known.scripts.has(command!)
      return exists ? [] : [{ file, line: at + 1, message: `There is no "${tool} ${command}".` }]
    })
  )

const troupe = (): ((command: string) => boolean) => {
  const bin = join(root, "apps/troupe/bin/troupe.js")
  let help: string | undefined
  return (command) => {
    help ??= existsSync(bin) ? execFileSync(process.execPath, [bin, "--help"], { encoding: "utf8" }) : ""
    return new RegExp(`(^|\\s)${command}(\\s|$)`, "m").test(help)
  }
}

if (import.meta.main) {
  const find = (patterns: ReadonlyArray<string>) =>
    globSync(patterns, { cwd: root })
      .map((file) => ({ file: slashes(file), text: readFileSync(join(root, file), "utf8") }))
      .toSorted((a, b) => (a.file < b.file ? -1 : 1))
  const known = {
    scripts: new Set(Object.keys(readJson<Manifest>(join(root, "package.json")).scripts ?? {})),
    troupe: troupe()
  }
  const examples = [
    ...find(documents).flatMap(({ file, text }) => Examples.inMarkdown(file, text)),
    ...find(sources).flatMap(({ file, text }) => Examples.inSource(file, text))
  ]
  const problems = [
    ...find(documents).flatMap(({ file, text }) => unknownCommands(file, text, known)),
    ...(await Examples.check(examples))
  ]
  for (const { file, line, message } of problems) console.error(`${file}:${line} ${message}`)
  const ran = examples.filter(({ run }) => run).length
  console.log(`readmes: ${examples.length} examples, ${ran} of them run, ${problems.length} wrong`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
