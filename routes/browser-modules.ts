import { readFileSync } from "node:fs"
import * as nodeModule from "node:module"

/**
 * Reads a module of `src/` and all that it imports, as JavaScript for browsers: addresses below `src/` that end in `.js`,
 * with the text of each. Types are blanked out where the gateway runs from its sources; the npm package holds JavaScript.
 */
export function readBrowserModules(entry: string): ReadonlyMap<string, string> {
  const modules = new Map<string, string>()
  const add = (name: string) => {
    if (modules.has(name)) return
    const source = readModule(name)
    modules.set(name, source)
    for (const [, imported = ""] of source.matchAll(IMPORT)) {
      add(new URL(imported, `src:/${name}`).pathname.slice(1))
    }
  }
  add(entry)
  return modules
}

function readModule(name: string): string {
  if (!import.meta.url.endsWith(".ts")) return readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8")
  const source = readFileSync(new URL(`../src/${name.replace(/\.js$/, ".ts")}`, import.meta.url), "utf8")
  return stripTypes(source).replace(IMPORT, (statement) => statement.replace(/\.ts(["'])$/, ".js$1"))
}

/** Bun has a function of its own for this, Node and Deno share one. */
function stripTypes(source: string): string {
  const { Bun } = globalThis as { Bun?: BunRuntime }
  if (Bun !== undefined) return new Bun.Transpiler({ loader: "ts" }).transformSync(source)
  const { emitWarning } = process
  process.emitWarning = () => {} // Node warns that the function is young, which nobody who starts a gateway needs to know
  try {
    return nodeModule.stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}

interface BunRuntime {
  readonly Transpiler: new (options: { loader: "ts" }) => { transformSync(source: string): string }
}

/** Statements that name a module by a relative address. */
const IMPORT = /^(?:import|export)\b[^"';]*?\bfrom\s*["'](\.[^"']+)["']/gm
