/**
 * The packages of the workspace and where their files are.
 */
import { globSync, readFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly bin?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface Package {
  readonly kind: "package" | "app"
  /** The name of its folder: `mutex`. */
  readonly room: string
  /** From the root, with slashes: `packages/mutex`. */
  readonly path: string
  readonly directory: string
  readonly manifest: Manifest
}

/** The root of this workspace. */
export const root = resolve(import.meta.dirname, "../..")

export const readJson = <A>(path: string): A => JSON.parse(readFileSync(path, "utf8")) as A

/** Packages and apps, in the order of their paths. Folders that have no package.json yet are left out. */
export const packagesOf = (root: string): ReadonlyArray<Package> =>
  globSync(["packages/*/package.json", "apps/*/package.json"], { cwd: root })
    .map(slashes)
    .sort()
    .map((file) => {
      const [parent, room] = file.split("/") as [string, string, string]
      const directory = join(root, parent, room)
      return {
        kind: parent === "packages" ? "package" : "app",
        room,
        path: `${parent}/${room}`,
        directory,
        manifest: readJson<Manifest>(join(directory, "package.json"))
      }
    })

/** The source files of a package, from the root. */
export const filesOf = (root: string, { path }: Package): ReadonlyArray<string> =>
  globSync(`${path}/{src,examples,test,bench,proof,bin}/**/*.{ts,js}`, { cwd: root }).map(slashes).sort()

export const slashes = (path: string): string => path.replaceAll("\\", "/")

export const fromRoot = (root: string, path: string): string => slashes(relative(root, path))
