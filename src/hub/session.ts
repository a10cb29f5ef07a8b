/**
 * The protocol that a session speaks. `pull` is a stream that we fetch from another server, `push` one that goes on to another
 * server, `flv` a viewer by HTTP-FLV or WebSocket-FLV, `recording` a file.
 */
export type Protocol = "rtmp" | "whip" | "whep" | "flv" | "pull" | "push" | "recording"

/** How a session stands, for lists and pages. Counts are since its start, of media in the session's direction. */
export interface SessionFacts {
  /** Address and port of the peer, as far as they are known. */
  readonly remoteAddress: string | undefined
  readonly transport: "udp" | "tcp" | "file"
  /** On the gateway's clock. */
  readonly startedAtMs: number
  readonly bytes: number
  /** Of the last seconds. */
  readonly bitrateBps: number
  readonly packets?: number
  readonly lostPackets?: number
  /** Share of packets lost, 0 to 1, by the last reports. */
  readonly lossRatio?: number
  /** From a publisher, but of no use: malformed, forged, too long, seen before, or of nothing that was agreed on. */
  readonly droppedPackets?: number
  /** RTP packets that were sent again because a viewer asked for them. */
  readonly resentPackets?: number
  /** Feedback of a viewer that was ignored: about sources that are not its own, or asking for more than its share. */
  readonly refusedFeedback?: number
  /** Left out because the receiver was too slow. */
  readonly droppedFrames?: number
  readonly roundTripMs?: number
  /** Interarrival jitter of RTP (RFC 3550 section 6.4.1), of the worst track. */
  readonly jitterMs?: number
  /** The simulcast layer that a viewer gets. */
  readonly layer?: string
  /** `CODEC_TITLES` of what the session carries. */
  readonly codecs: readonly string[]
}

/** What a publisher's session tells the hub, and what the hub may ask of it. */
export interface PublisherSession {
  readonly id: string
  readonly protocol: Protocol
  /** Who publishes; a session of the same identity may take the name over. */
  readonly identity: string | undefined
  /** When media came last, on the gateway's clock; its start until there was some. Set before the media is pushed. */
  readonly lastMediaMs: number
  /** Asks for a keyframe, of one simulcast layer where `rid` names it; does nothing where the protocol has no way to. */
  requestKeyframe(rid?: string): void
  /** Ends the session because the hub says so. */
  end(reason: string): void
  describe(nowMs: number): SessionFacts
}

/** A viewer's or reader's session as the hub sees it. */
export interface SubscriberSession {
  readonly id: string
  readonly protocol: Protocol
  /** It would show pictures in the order in which they are decoded. */
  readonly needsPicturesInOrder?: boolean
  /** The stream is over, or somebody wants this session to be. */
  end(reason: string): void
  describe(nowMs: number): SessionFacts
  /** Something about the stream has changed. */
  onStreamEvent?(event: StreamEvent): void
}

/**
 * What subscribers are told of their stream. `inactive`: the publisher is gone and may return; `active`: one has returned. `layers`: look
 * at `LiveStream.layers` again. `viewers`: how many subscribers there are. `codec`: the video comes in another codec,
 * so who agreed on the one before must come again. `scriptData`: what an FLV or RTMP publisher sent beside its media, captions for
 * example, as FLV has it.
 */
export type StreamEvent =
  | { readonly type: "active" | "inactive" | "layers" | "codec" }
  | { readonly type: "viewers"; readonly count: number }
  | { readonly type: "scriptData"; readonly payload: Uint8Array }
