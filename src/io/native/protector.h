#pragma once
// The sending side of one SRTP session (RFC 3711, RFC 7714), with contexts that live as long as it. One thread at a time may use it.
#include "abi.h"

class Protector {
 public:
  /** Session keys: cipher key 16 bytes, salt 12 (GCM) or 14 (CM), HMAC key 20 (CM only). */
  Protector(bool isGcm, const uint8_t* cipherKey, const uint8_t* salt, const uint8_t* authKey);
  ~Protector();
  Protector(const Protector&) = delete;
  Protector& operator=(const Protector&) = delete;

  /**
   * Encrypts and authenticates one packet whose header stands at `packet`; the payload is read from where it is, which may be right behind
   * the header. Returns the length of the packet, at most `MAX_TAG_BYTES` longer than header and payload; 0 where OpenSSL fails.
   */
  size_t protect(uint8_t* packet, size_t headerBytes, const uint8_t* payload, size_t length, uint32_t ssrc,
                 uint32_t rollover, uint16_t sequenceNumber);

  static constexpr size_t MAX_TAG_BYTES = 16;

 private:
  bool encryptCm(uint8_t* out, const uint8_t* payload, size_t length, const uint8_t* iv);
  void authenticate(uint8_t* packet, size_t length, uint32_t rollover);

  const bool isGcm_;
  EVP_CIPHER_CTX* cipher_;
  uint8_t salt_[14] = {};
  SHA_CTX innerPad_{};
  SHA_CTX outerPad_{};
};
