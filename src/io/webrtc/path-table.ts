import { pathKey } from "../../ice/ip-address.ts"
import type { NetworkPath } from "./remote-address.ts"

/** A session as the table sees it. */
export interface PathOwner {
  /** The path that is sent to; it stays whatever comes. */
  readonly remote: NetworkPath
}

/** Which session a datagram's source leads to: the one whose authenticated check came from there last. */
export class PathTable<Owner extends PathOwner> {
  readonly #ownerOf = new Map<string, Owner>()
  /** Oldest first. */
  readonly #pathsOf = new Map<Owner, Map<string, NetworkPath>>()

  /** The owner of a source. */
  find(source: NetworkPath): Owner | undefined {
    return this.#ownerOf.get(pathKey(source))
  }

  /** Makes a source lead to a session. Each has eight at most; the oldest one is closed, but never the one that is sent to. */
  set(source: NetworkPath, owner: Owner): void {
    const key = pathKey(source)
    const before = this.#ownerOf.get(key)
    if (before === owner) return
    if (before) this.#pathsOf.get(before)?.delete(key)
    const paths = this.#pathsOf.get(owner) ?? new Map<string, NetworkPath>()
    this.#pathsOf.set(owner, paths)
    this.#ownerOf.set(key, owner)
    paths.set(key, source)
    if (paths.size <= MAX_PATHS) return
    const selected = pathKey(owner.remote)
    for (const [oldest, path] of paths) {
      if (oldest === selected || oldest === key) continue
      this.delete(path)
      path.connection?.close()
      return
    }
  }

  /** Forgets one source; returns whose it was. */
  delete(source: NetworkPath): Owner | undefined {
    const key = pathKey(source)
    const owner = this.#ownerOf.get(key)
    this.#ownerOf.delete(key)
    if (owner) this.#pathsOf.get(owner)?.delete(key)
    return owner
  }

  /** Forgets a session and closes its connections. */
  release(owner: Owner): void {
    const paths = this.#pathsOf.get(owner)
    this.#pathsOf.delete(owner)
    for (const [key, { connection }] of paths ?? []) {
      this.#ownerOf.delete(key)
      connection?.close()
    }
  }
}

const MAX_PATHS = 8
