/**
 * Completes package-lock.json after `npm install`: npm leaves out optional packages that it could not read, such as the
 * binaries of other platforms on a mirror that has not all of them, and `npm ci` then refuses the lock file.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./Workspace.ts"

interface Entry {
  readonly version?: string
  readonly optional?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly os?: ReadonlyArray<string>
  readonly cpu?: ReadonlyArray<string>
  readonly libc?: ReadonlyArray<string>
}

type Entries = Readonly<Record<string, Entry>>

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"]

/** What runs a package, by the words of its name: `binding-linux-arm64-musl`. Nothing when they don't say. */
const platform = (name: string): Pick<Entry, "os" | "cpu" | "libc"> | undefined => {
  const words = name.split(/[-/]/)
  const os = words.filter((word) => systems.includes(word))
  const cpu = words.filter((word) => processors.includes(word))
  if (cpu.length === 0) return undefined
  const libc = words.includes("musl") ? ["musl"] : os[0] === "linux" && words.includes("gnu") ? ["glibc"] : []
  return { cpu, ...(libc.length > 0 ? { libc } : {}), ...(os.length > 0 ? { os } : {}) }
}

const isThere = (entries: Entries, from: string, name: string): boolean => {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    if (`${at}${at === "" ? "" : "/"}node_modules/${name}` in entries) return true
    if (at === "") return false
  }
}

/** The entries that are missing, each for a platform package of an exact version. */
export const missing = (entries: Entries): Entries =>
  Object.fromEntries(
    Object.entries(entries).flatMap(([from, { optionalDependencies = {} }]) =>
      Object.entries(optionalDependencies).flatMap(([name, version]): ReadonlyArray<readonly [string, Entry]> => {
        const runsOn = platform(name)
        if (runsOn === undefined || !/^\d/.test(version) || isThere(entries, from, name)) return []
        return [[`node_modules/${name}`, { version, optional: true, ...runsOn }]]
      })
    )
  )

if (import.meta.main) {
  const path = join(root, "package-lock.json")
  const lock = JSON.parse(readFileSync(path, "utf8")) as { readonly packages: Entries }
  const added = missing(lock.packages)
  const { "": top, ...rest } = { ...lock.packages, ...added }
  const sorted = Object.entries(rest).toSorted(([a], [b]) => a.localeCompare(b, "en"))
  writeFileSync(
    path,
    `${JSON.stringify({ ...lock, packages: { "": top, ...Object.fromEntries(sorted) } }, undefined, 2)}\n`
  )
  console.log(`added ${Object.keys(added).length} packages of other platforms`)
}
