/** For tests of actors. */
export * as TestKit from "./internal/testing/TestKit.ts"
