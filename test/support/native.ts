import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { loadNativeAddon, type NativeLoad } from "../../src/io/native/addon.ts"

/** The native fan-out, compiled from the sources as they are; or why that was not possible. */
export const NATIVE: NativeLoad = build()

function build(): NativeLoad {
  try {
    execFileSync(join(import.meta.dirname, "../../scripts/lib/build-native"), { stdio: ["ignore", "ignore", "pipe"] })
  } catch (error) {
    return { reason: String((error as { stderr?: unknown }).stderr ?? error).trim() }
  }
  return loadNativeAddon()
}
