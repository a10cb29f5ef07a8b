import { GatewayError } from "../../errors.ts"

/** Says in a sentence why no connection to a server came about, from the error of its TCP or TLS socket. */
export function connectFailure(
  cause: Error & { readonly code?: string },
  { host, port }: { readonly host: string; readonly port: number },
): GatewayError {
  return new GatewayError("rtmp.unreachable", sentenceFor(cause, host, port), { cause })
}

function sentenceFor({ code = "", message }: Error & { readonly code?: string }, host: string, port: number): string {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the name ${host} cannot be resolved: look at the address and at this machine's DNS`
    case "ECONNREFUSED":
      return `nothing listens at ${host}:${port}`
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${host}:${port} cannot be reached (${code})`
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `the certificate of ${host} is for another name`
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return `the certificate of ${host} is not valid now (${code})`
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return `the certificate of ${host} is signed by nobody we trust (${code}): name its authority with a ca file`
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return `${host}:${port} does not speak TLS: try rtmp:// instead of rtmps://`
    default:
      return `no connection to ${host}:${port} (${code || message})`
  }
}
