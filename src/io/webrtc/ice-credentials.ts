import { randomBytes } from "node:crypto"
import type { IceLiteResponder } from "../../ice/lite-responder.ts"
import type { NetworkPath } from "./remote-address.ts"

/** Our half of an ICE login, for an answer or a fragment. RFC 8839 section 5.4. */
export interface IceLogin {
  readonly ufrag: string
  readonly pwd: string
}

/** Makes an unguessable login: 48 bits of name, 192 bits of password. */
export function createIceLogin(): IceLogin {
  // Base64's alphabet is just that of ICE.
  return { ufrag: randomBytes(6).toString("base64"), pwd: randomBytes(24).toString("base64") }
}

/**
 * The ICE logins of one session: one, or two from a restart until the first authenticated check under the new one. Both are
 * accepted meanwhile, so that a restart that fails does no harm. RFC 8445 section 2.4, RFC 9725 section 4.3.3.
 */
export class IceCredentials<Session> {
  readonly #responder: IceLiteResponder<Session>
  readonly #session: Session
  #inUse: [IceLogin, ...IceLogin[]]

  /** Registers the session; without the peer's ufrag, checks are taken that name any. */
  constructor(responder: IceLiteResponder<Session>, session: Session, remoteUfrag: string | undefined) {
    this.#responder = responder
    this.#session = session
    this.#inUse = [this.#register(remoteUfrag)]
  }

  /** The newest login. */
  get current(): IceLogin {
    return this.#inUse.at(-1) as IceLogin
  }

  /** The peer's answer has come: from now on its checks must name this ufrag. */
  setRemoteUfrag(remoteUfrag: string): void {
    this.#responder.setRemoteUfrag(this.current.ufrag, remoteUfrag)
  }

  /** Adds a new login; one from an earlier restart that no check has followed is over. */
  restart(remoteUfrag: string): IceLogin {
    const [confirmed, ...unconfirmed] = this.#inUse
    for (const { ufrag } of unconfirmed) this.#responder.remove(ufrag)
    this.#inUse = [confirmed, this.#register(remoteUfrag)]
    return this.current
  }

  /** An authenticated check named this ufrag: if it is the newest, the older ones are over. */
  confirm(ufrag: string): void {
    if (this.#inUse.length === 1 || ufrag !== this.current.ufrag) return
    for (const before of this.#inUse.slice(0, -1)) this.#responder.remove(before.ufrag)
    this.#inUse = [this.current]
  }

  /** The path is gone, so the next authenticated check may select another. */
  forgetPath(path: NetworkPath): void {
    for (const { ufrag } of this.#inUse) this.#responder.forgetPath(ufrag, path)
  }

  /** Ends all of them. */
  close(): void {
    for (const { ufrag } of this.#inUse) this.#responder.remove(ufrag)
  }

  #register(remoteUfrag: string | undefined): IceLogin {
    const login = createIceLogin()
    const credentials = { localUfrag: login.ufrag, localPwd: login.pwd, remoteUfrag }
    this.#responder.register(credentials, this.#session)
    return login
  }
}
