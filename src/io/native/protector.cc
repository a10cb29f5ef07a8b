#include "protector.h"

#include <cstring>

#include "aead.h"
#include "bytes.h"

namespace {
constexpr size_t CM_TAG_BYTES = 10;

/** SHA-1 of one block of the HMAC key with a pad: half of the work of a HMAC, the same for all packets (RFC 2104). */
SHA_CTX startWithPad(const uint8_t* key, uint8_t pad) {
  uint8_t block[64];
  std::memset(block, pad, sizeof block);
  for (size_t i = 0; i < 20; i++) block[i] ^= key[i];
  SHA_CTX state;
  SHA1_Init(&state);
  SHA1_Update(&state, block, sizeof block);
  return state;
}
}  // namespace

Protector::Protector(bool isGcm, const uint8_t* cipherKey, const uint8_t* salt, const uint8_t* authKey)
    : isGcm_(isGcm), cipher_(EVP_CIPHER_CTX_new()) {
  std::memcpy(salt_, salt, isGcm ? 12 : 14);
  EVP_EncryptInit_ex(cipher_, isGcm ? EVP_aes_128_gcm() : EVP_aes_128_ctr(), nullptr, cipherKey, nullptr);
  if (isGcm) return;
  innerPad_ = startWithPad(authKey, 0x36);
  outerPad_ = startWithPad(authKey, 0x5c);
}

Protector::~Protector() { EVP_CIPHER_CTX_free(cipher_); }

size_t Protector::protect(uint8_t* packet, size_t headerBytes, const uint8_t* payload, size_t length, uint32_t ssrc,
                          uint32_t rollover, uint16_t sequenceNumber) {
  uint8_t iv[16] = {};
  const size_t ssrcAt = isGcm_ ? 2 : 4;  // RFC 7714 section 8.1, RFC 3711 section 4.1.1
  writeU32(iv + ssrcAt, ssrc);
  writeU32(iv + ssrcAt + 4, rollover);
  writeU16(iv + ssrcAt + 8, sequenceNumber);
  for (size_t i = 0; i < sizeof salt_; i++) iv[i] ^= salt_[i];
  if (isGcm_) {
    const bool isSealed = sealGcm(cipher_, packet + headerBytes, iv, {packet, headerBytes}, {payload, length});
    return isSealed ? headerBytes + length + GCM_TAG_BYTES : 0;
  }
  if (!encryptCm(packet + headerBytes, payload, length, iv)) return 0;
  authenticate(packet, headerBytes + length, rollover);
  return headerBytes + length + CM_TAG_BYTES;
}

bool Protector::encryptCm(uint8_t* out, const uint8_t* payload, size_t length, const uint8_t* iv) {
  int written = 0;
  return EVP_EncryptInit_ex(cipher_, nullptr, nullptr, nullptr, iv) == 1 &&
         (length == 0 || EVP_EncryptUpdate(cipher_, out, &written, payload, static_cast<int>(length)) == 1);
}

void Protector::authenticate(uint8_t* packet, size_t length, uint32_t rollover) {
  uint8_t counter[4];
  writeU32(counter, rollover);  // authenticated with the packet, but not sent
  uint8_t digest[20];
  SHA_CTX state = innerPad_;
  SHA1_Update(&state, packet, length);
  SHA1_Update(&state, counter, sizeof counter);
  SHA1_Final(digest, &state);
  state = outerPad_;
  SHA1_Update(&state, digest, sizeof digest);
  SHA1_Final(digest, &state);
  std::memcpy(packet + length, digest, CM_TAG_BYTES);
}
