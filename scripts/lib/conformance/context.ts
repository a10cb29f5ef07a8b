import { assume, NotApplicable, type Protocol, Unmet } from "./check.ts"
import { type Exchange, exchange, type Fetch, FRAGMENT, isSuccess, type RequestOptions, SDP } from "./http.ts"
import { createFragment, createIce, createOffer, type IceCredentials } from "./offers.ts"
import { readSdp, type SdpText } from "./sdp-text.ts"

/** How long the suite waits for what a server does by itself. */
export interface Patience {
  /** For an end that the peer told the server of. */
  readonly closeMs: number
  /** For an end that the server has to notice. */
  readonly silenceMs: number
  readonly connectMs: number
  /** For an event of a feed. */
  readonly eventMs: number
}

/** What is tested and how. */
export interface TargetOptions {
  readonly endpoint: string
  /** An endpoint of WHEP that nobody publishes to. */
  readonly idleEndpoint?: string | undefined
  readonly token?: string | undefined
  readonly fetch: Fetch
  readonly patience: Patience
  /** Requests that may be sent at once to see whether the server limits them; 0 leaves that out. */
  readonly floodRequests: number
}

/** A session that was opened. */
export interface OpenSession {
  readonly exchange: Exchange
  readonly offer: SdpText
  readonly answer: SdpText
  readonly ice: IceCredentials
  /** Absolute address of the session; undefined without a Location. */
  readonly url: string | undefined
  /** As the header has it. */
  readonly etag: string | undefined
}

/** What a check of one protocol works with. Sessions that it opens are deleted after it. */
export class ProtocolContext {
  readonly protocol: Protocol
  readonly options: TargetOptions
  readonly #open = new Set<string>()
  #standard: Promise<OpenSession> | undefined

  constructor(protocol: Protocol, options: TargetOptions) {
    this.protocol = protocol
    this.options = options
  }

  get endpoint(): string {
    return this.options.endpoint
  }

  /** Sends a request with the token, if there is one. */
  request(url: string, options: RequestOptions = {}): Promise<Exchange> {
    const { token } = this.options
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return this.anonymous(url, { ...options, headers: { ...authorization, ...options.headers } })
  }

  /** Sends a request without the token. A server that limits requests is given the time that it asks for. */
  async anonymous(url: string, options: RequestOptions = {}): Promise<Exchange> {
    const answered = await this.#sendPatiently(url, options)
    const location = sessionUrl(answered)
    if (options.method === "POST" && location !== undefined) this.#open.add(location)
    if (options.method === "DELETE" && isSuccess(answered)) this.#open.delete(url)
    return answered
  }

  /** Sends an offer to the endpoint. */
  post(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Exchange> {
    return this.request(this.endpoint, { method: "POST", headers: { "content-type": SDP, ...headers }, body })
  }

  /** Opens a session. Throws `NotApplicable` where the server refuses: that is judged by one check alone. */
  async open(offer = createOffer(this.protocol)): Promise<OpenSession> {
    const answered = await this.post(offer)
    assume(isSuccess(answered) && answered.body.startsWith("v="), `no session to test: ${summary(answered)}`)
    return readSession(offer, answered)
  }

  /** The same with an address, which most checks need. */
  async openAt(offer?: string): Promise<OpenSession & { readonly url: string }> {
    const session = await this.open(offer)
    const { url } = session
    assume(url !== undefined, "the session has no Location")
    return { ...session, url }
  }

  /** The exchange of a plain offer and its answer, made once for all checks that only look at it. */
  standard(): Promise<OpenSession> {
    this.#standard ??= this.#openAndDelete()
    return this.#standard
  }

  /** Sends a fragment to a session, with its ETag; servers that want `*` get it. */
  async patch(session: { readonly url: string; readonly etag: string | undefined }, body: string): Promise<Exchange> {
    const patch = (ifMatch: string) =>
      this.request(session.url, { method: "PATCH", headers: { "content-type": FRAGMENT, "if-match": ifMatch }, body })
    if (!isStrongTag(session.etag)) return patch("*")
    const answered = await patch(session.etag)
    return answered.status === 412 ? patch("*") : answered
  }

  /** Restarts ICE with new credentials. Throws `NotApplicable` where the server does not support that. */
  async restart(session: { readonly url: string }): Promise<Exchange & { readonly ice: IceCredentials }> {
    const ice = createIce()
    const answered = await this.patch({ url: session.url, etag: undefined }, createFragment(ice))
    assume(isSuccess(answered), `ICE restarts are not supported: ${summary(answered)}`)
    return { ...answered, ice }
  }

  /** Trickles a candidate. Throws `NotApplicable` where the server does not support that. */
  async trickle(session: OpenSession & { readonly url: string }, candidates?: readonly string[]): Promise<Exchange> {
    const answered = await this.patch(session, createFragment(session.ice, candidates))
    assume(isSuccess(answered), `trickle ICE is not supported: ${summary(answered)}`)
    return answered
  }

  async #sendPatiently(url: string, options: RequestOptions): Promise<Exchange> {
    for (let tries = 1; ; tries++) {
      const answered = await exchange(this.options.fetch, url, options)
      const waitSeconds = Number(answered.headers.get("retry-after") ?? Number.NaN)
      if (answered.status !== 429 || !(waitSeconds <= MAX_WAIT_SECONDS) || tries === MAX_TRIES) return answered
      await new Promise((resolve) => setTimeout(resolve, waitSeconds * 1000))
    }
  }

  async #openAndDelete(): Promise<OpenSession> {
    const session = await this.open()
    await this.cleanUp()
    return session
  }

  delete(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Exchange> {
    return this.request(url, { method: "DELETE", headers })
  }

  /** Whether the session's address still answers as one. */
  async isAlive(url: string): Promise<boolean> {
    return isSuccess(await this.request(url))
  }

  /** Deletes what is still open. */
  async cleanUp(): Promise<void> {
    const urls = [...this.#open]
    this.#open.clear()
    for (const url of urls) await this.delete(url).catch(() => undefined)
  }
}

/** Reads what a POST was answered with. */
export function readSession(offer: string, answered: Exchange): OpenSession {
  const text = readSdp(offer)
  const [section] = text.sections
  const value = (name: string) =>
    [...(section?.attributes ?? []), ...text.attributes]
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
  return {
    exchange: answered,
    offer: text,
    answer: readSdp(answered.body),
    ice: { ufrag: value("ice-ufrag") ?? "", pwd: value("ice-pwd") ?? "" },
    url: sessionUrl(answered),
    etag: answered.headers.get("etag") ?? undefined,
  }
}

/** What was answered, with the beginning of a problem's text. */
export function summary({ method, status, body }: Exchange): string {
  const detail = /"detail":\s*"([^"]{1,160})/.exec(body)?.[1]
  return `${method} gave ${status}${detail === undefined ? "" : ` (${detail})`}`
}

/** A strong entity-tag in quotes, RFC 9110 section 8.8.3. */
export function isStrongTag(etag: string | undefined): etag is string {
  return etag !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag)
}

/** What an error thrown by a check means. */
export function classify(error: unknown): { readonly status: "failed" | "skipped"; readonly seen: string } {
  if (error instanceof NotApplicable) return { status: "skipped", seen: error.message }
  if (error instanceof Unmet) return { status: "failed", seen: error.message }
  const { message, cause } = error as Error
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message
  return { status: "failed", seen: `no answer (${reason})` }
}

function sessionUrl({ headers, url }: Exchange): string | undefined {
  const location = headers.get("location")
  return location !== null && URL.canParse(location, url) ? new URL(location, url).href : undefined
}

const MAX_TRIES = 5
const MAX_WAIT_SECONDS = 10
