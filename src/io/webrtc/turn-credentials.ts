import { createHmac } from "node:crypto"

/** STUN and TURN servers as the configuration gives them: with fixed credentials, a secret shared with the server, or neither. */
export interface ConfiguredIceServer {
  /** RFC 7064 and RFC 7065. */
  readonly urls: readonly string[]
  readonly username?: string | undefined
  readonly credential?: string | undefined
  /** Of coturn's `static-auth-secret`. */
  readonly secret?: string | undefined
  /** How long credentials made from the secret are good; a day if left out. */
  readonly ttlSeconds?: number | undefined
}

/** One server for one client. */
export interface IceServer {
  readonly url: string
  readonly username?: string
  readonly credential?: string
}

/**
 * The servers for one client, one entry for each URL. Where a secret is configured, the credentials are new and end by themselves: the user
 * name is the Unix time of the end and a name for the server's log, the password its HMAC-SHA1 (draft-uberti-behave-turn-rest-00 section 2.2).
 * `nowMs` is Unix time in milliseconds; of `user` other characters than letters, digits, `.`, `@`, `_` and `-` are replaced.
 */
export function iceServersFor(servers: readonly ConfiguredIceServer[], nowMs: number, user: string): IceServer[] {
  return servers.flatMap(({ urls, username, credential, secret, ttlSeconds = DAY_SECONDS }) => {
    const login =
      secret === undefined
        ? { ...(username !== undefined && { username }), ...(credential !== undefined && { credential }) }
        : timeLimitedLogin(secret, Math.floor(nowMs / 1000) + ttlSeconds, user)
    return urls.map((url) => (url.startsWith("stun") ? { url } : { url, ...login }))
  })
}

function timeLimitedLogin(secret: string, endsAtSeconds: number, user: string) {
  const username = `${endsAtSeconds}:${user.replace(/[^\w.@-]/g, "_").slice(0, MAX_USER_LENGTH)}`
  return { username, credential: createHmac("sha1", secret).update(username).digest("base64") }
}

const DAY_SECONDS = 86_400
const MAX_USER_LENGTH = 64
