#pragma once
// AES-128-GCM for what JavaScript encrypts and decrypts itself, with contexts that are made once: node:crypto makes one for each packet.
#include "abi.h"

/** Bytes somewhere else. */
struct Bytes {
  const uint8_t* data;
  size_t length;
};

constexpr size_t GCM_TAG_BYTES = 16;

/** Writes ciphertext and tag to `out`, which has room for both, with a context that has its key; `nonce` has 12 bytes. False where OpenSSL fails. */
bool sealGcm(EVP_CIPHER_CTX* context, uint8_t* out, const uint8_t* nonce, Bytes additional, Bytes plaintext);

class Aead {
 public:
  /** `key` has 16 bytes. */
  explicit Aead(const uint8_t* key);
  ~Aead();
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  /** As `sealGcm`. */
  bool seal(uint8_t* out, const uint8_t* nonce, Bytes additional, Bytes plaintext) {
    return sealGcm(sealing_, out, nonce, additional, plaintext);
  }

  /**
   * Writes the plaintext to `out`, which may be where `sealed` is, whose length is with the tag. False where it is not authentic: what
   * `out` holds then is of no use.
   */
  bool open(uint8_t* out, const uint8_t* nonce, Bytes additional, Bytes sealed);

 private:
  EVP_CIPHER_CTX* sealing_;
  EVP_CIPHER_CTX* opening_;
};
