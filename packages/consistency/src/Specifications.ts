/** The specifications that come with the package. */
export * from "./specifications/Registers.ts"
