import { randomBytes } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import { pathKey } from "../../ice/ip-address.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"
import { serializeFragment } from "../../sdp/fragment.ts"
import type { LocalCandidate } from "../../sdp/serialize.ts"
import type { LayerConstraint } from "../../whep/layer-choice.ts"
import type { NetworkPath } from "./remote-address.ts"
import type { RemoteParameters, WebRtcPeer } from "./transport-peer.ts"
import type { LayerDescription } from "./whep-layers.ts"
import type { WhepViewer } from "./whep-viewer.ts"

/** What a session is made of. */
export interface WebRtcSessionOptions {
  readonly role: "whip" | "whep"
  readonly peer: WebRtcPeer
  readonly candidates: readonly LocalCandidate[]
  /** Where the offer came from, if that was by UDP. */
  readonly source: NetworkPath | undefined
}

/** What both sides have agreed on. */
export interface SessionAgreement {
  readonly remote: RemoteParameters
  readonly media: readonly AnsweredMedia[]
  /** Of a WHEP session. */
  readonly viewer?: WhepViewer
}

/** One WHIP or WHEP session as the requests on its address see it (RFC 9725 section 4.3). */
export class WebRtcSession {
  readonly id: string
  readonly role: "whip" | "whep"
  readonly #options: WebRtcSessionOptions
  #etag = createTag()
  #agreement: SessionAgreement | undefined
  #remoteUfrag = ""
  #accept: ((answerSdp: string) => SessionAgreement) | undefined

  constructor(options: WebRtcSessionOptions) {
    this.id = options.peer.id
    this.role = options.role
    this.#options = options
  }

  /** Entity-tag of the present ICE session, without quotes. */
  get etag(): string {
    return this.#etag
  }

  /** The client's present one; empty while it has not answered a counter-offer. */
  get remoteUfrag(): string {
    return this.#remoteUfrag
  }

  /** Ours, the newest one. */
  get localUfrag(): string {
    return this.#options.peer.localUfrag
  }

  /** Whether the client has shown where it is. */
  get hasAddress(): boolean {
    return this.#options.peer.remote.isKnown
  }

  /** The event feeds of a viewer's session. */
  get events(): WhepViewer["events"] | undefined {
    return this.#agreement?.viewer?.events
  }

  /** The layer choice of a viewer's session. */
  get layers() {
    const viewer = this.#agreement?.viewer
    if (viewer === undefined) return undefined
    return {
      mediaId: viewer.layers.mediaId,
      list: (): LayerDescription[] => viewer.layers.list(),
      select: (constraint: LayerConstraint): void => viewer.selectLayer(constraint),
    }
  }

  /** Both sides have agreed. */
  begin(agreement: SessionAgreement): void {
    this.#agreement = agreement
    this.#remoteUfrag = agreement.remote.ufrag
  }

  /** The player is to answer an offer of ours; `accept` throws what is wrong with the answer. */
  awaitAnswer(accept: (answerSdp: string) => SessionAgreement): void {
    this.#accept = accept
  }

  /** Takes the player's answer, once. Throws `sdp.*`; after those the player may send another one. */
  acceptAnswer(answerSdp: string): void {
    if (this.#accept === undefined) {
      throw new GatewayError("sdp.unsupported", "this session waits for no answer: it had an offer, and was answered")
    }
    const agreement = this.#accept(answerSdp)
    this.#accept = undefined
    this.begin(agreement)
    this.#options.peer.setRemote(agreement.remote)
  }

  /**
   * Begins a new ICE session, RFC 9725 section 4.3.3: media stays on the old path until the first check under the new credentials.
   * Throws `sdp.unsupported` while an answer is awaited.
   */
  restartIce({ ufrag }: { readonly ufrag: string }): { readonly fragment: string; readonly etag: string } {
    if (this.#agreement === undefined) {
      throw new GatewayError("sdp.unsupported", "there is no ICE session to restart before the offer is answered")
    }
    const { peer, candidates } = this.#options
    const [section] = this.#agreement.media
    const login = peer.restartIce(ufrag)
    this.#remoteUfrag = ufrag
    this.#etag = createTag()
    return { fragment: serializeFragment({ ...login, candidates, ...(section && { section }) }), etag: this.#etag }
  }

  /** Whether the client is there: where its media is sent to, or its offer came from by UDP. */
  isFrom(path: NetworkPath): boolean {
    const { peer, source } = this.#options
    return [peer.remote, source].some((known) => known !== undefined && pathKey(known) === pathKey(path))
  }

  /** Ends the session; the reason is for the log. */
  end(reason: string): void {
    this.#options.peer.close(reason)
  }
}

function createTag(): string {
  return randomBytes(12).toString("base64url")
}
