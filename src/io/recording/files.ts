import { mkdir, open, statfs, unlink } from "node:fs/promises"
import { dirname } from "node:path"

/** The file system, as far as recordings need it; errors are those of Node, with `code`. */
export interface RecordingFiles {
  /** Makes a file that was not there, with the folders above it. Throws `EEXIST` where the name is taken. */
  create(path: string): Promise<RecordingHandle>
  remove(path: string): Promise<void>
  /** How many bytes may still be written where the path lies; the folders above it need not be there. */
  freeBytes(path: string): Promise<number>
}

/** An open file. */
export interface RecordingHandle {
  /** Writes all of it. */
  write(bytes: Uint8Array, position: number): Promise<void>
  truncate(bytes: number): Promise<void>
  close(): Promise<void>
}

/** The file system of this machine. */
export const NODE_FILES: RecordingFiles = {
  async create(path) {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 }).catch((error) => {
      // Only the file's own name may be told to be taken.
      throw errorCode(error) === "EEXIST"
        ? Object.assign(new Error("not a folder", { cause: error }), { code: "ENOTDIR" })
        : error
    })
    const handle = await open(path, "wx", 0o644)
    return {
      async write(bytes, position) {
        for (let at = 0; at < bytes.length; ) {
          const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at)
          at += bytesWritten
        }
      },
      truncate: (bytes) => handle.truncate(bytes),
      close: () => handle.close(),
    }
  },
  remove: (path) => unlink(path),
  async freeBytes(path) {
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      try {
        const { bavail, bsize } = await statfs(folder)
        return bavail * bsize
      } catch (error) {
        if (errorCode(error) !== "ENOENT" || folder === dirname(folder)) throw error
      }
    }
  },
}

/** The system's name of an error, such as `ENOSPC`; undefined for an error of another kind. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
}
