#pragma once
// AES-128-GCM for what JavaScript encrypts and decrypts itself, with contexts that are made once: node:crypto makes one for each packet.
#include "abi.h"

class Aead {
 public:
  /** `key` has 16 bytes. */
  explicit Aead(const uint8_t* key);
  ~Aead();
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  /** Writes ciphertext and tag to `out`, which has room for both; `nonce` has 12 bytes. False where OpenSSL fails. */
  bool seal(uint8_t* out, const uint8_t* nonce, const uint8_t* additional, size_t additionalLength, const uint8_t* plaintext,
            size_t length);

  /**
   * Writes the plaintext to `out`, which may be where `sealed` is; `length` is without the tag that follows. False where it is not authentic:
   * what `out` holds then is of no use.
   */
  bool open(uint8_t* out, const uint8_t* nonce, const uint8_t* additional, size_t additionalLength, const uint8_t* sealed,
            size_t length);

  static constexpr size_t TAG_BYTES = 16;

 private:
  EVP_CIPHER_CTX* sealing_;
  EVP_CIPHER_CTX* opening_;
};
