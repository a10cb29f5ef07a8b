import { Acknowledgements } from "./acknowledgements.ts"
import {
  controlMessage,
  MESSAGE_TYPE,
  parseControlValue,
  parsePeerBandwidth,
  parseUserControl,
  type RtmpMessage,
  USER_CONTROL,
  userControl,
} from "./message.ts"

/** The protocol control messages of one server session, RTMP 1.0 sections 5.4 and 7.1.7, but those that the chunk reader obeys itself. */
export class ServerControls {
  readonly #acknowledgements: Acknowledgements
  #receivedBytes = 0

  /** `windowAckBytes` is what this side announces. */
  constructor(windowAckBytes: number) {
    this.#acknowledgements = new Acknowledgements(windowAckBytes)
    this.#acknowledgements.onWindowAnnounced(windowAckBytes)
  }

  /** Counts bytes from the peer, the handshake's too; returns the acknowledgement that is due. */
  onReceived(bytes: number): RtmpMessage | undefined {
    this.#receivedBytes += bytes
    const sequenceNumber = this.#acknowledgements.onReceived(this.#receivedBytes)
    return sequenceNumber === undefined ? undefined : controlMessage(MESSAGE_TYPE.acknowledgement, sequenceNumber)
  }

  /** Obeys a control message and returns the answer to it; others are ignored. Throws `bytes.truncated`. */
  onMessage({ typeId, payload }: RtmpMessage): RtmpMessage | undefined {
    switch (typeId) {
      case MESSAGE_TYPE.windowAckSize:
        this.#acknowledgements.onWindowAckSize(parseControlValue(payload))
        return undefined
      case MESSAGE_TYPE.setPeerBandwidth: {
        const { windowBytes, limit } = parsePeerBandwidth(payload)
        const announced = this.#acknowledgements.onSetPeerBandwidth(windowBytes, limit)
        return announced === undefined ? undefined : controlMessage(MESSAGE_TYPE.windowAckSize, announced)
      }
      case MESSAGE_TYPE.userControl: {
        const { eventType, value } = parseUserControl(payload)
        return eventType === USER_CONTROL.pingRequest ? userControl(USER_CONTROL.pingResponse, value) : undefined
      }
      default:
        return undefined
    }
  }
}
