#include "aead.h"

Aead::Aead(const uint8_t* key) : sealing_(EVP_CIPHER_CTX_new()), opening_(EVP_CIPHER_CTX_new()) {
  EVP_EncryptInit_ex(sealing_, EVP_aes_128_gcm(), nullptr, key, nullptr);
  EVP_DecryptInit_ex(opening_, EVP_aes_128_gcm(), nullptr, key, nullptr);
}

Aead::~Aead() {
  EVP_CIPHER_CTX_free(sealing_);
  EVP_CIPHER_CTX_free(opening_);
}

bool Aead::seal(uint8_t* out, const uint8_t* nonce, const uint8_t* additional, size_t additionalLength,
                const uint8_t* plaintext, size_t length) {
  int written = 0;
  return EVP_EncryptInit_ex(sealing_, nullptr, nullptr, nullptr, nonce) == 1 &&
         EVP_EncryptUpdate(sealing_, nullptr, &written, additional, static_cast<int>(additionalLength)) == 1 &&
         (length == 0 || EVP_EncryptUpdate(sealing_, out, &written, plaintext, static_cast<int>(length)) == 1) &&
         EVP_EncryptFinal_ex(sealing_, out + length, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(sealing_, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + length) == 1;
}

bool Aead::open(uint8_t* out, const uint8_t* nonce, const uint8_t* additional, size_t additionalLength,
                const uint8_t* sealed, size_t length) {
  int written = 0;
  auto* tag = const_cast<uint8_t*>(sealed + length);  // it is only read
  return EVP_DecryptInit_ex(opening_, nullptr, nullptr, nullptr, nonce) == 1 &&
         EVP_CIPHER_CTX_ctrl(opening_, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
         EVP_DecryptUpdate(opening_, nullptr, &written, additional, static_cast<int>(additionalLength)) == 1 &&
         (length == 0 || EVP_DecryptUpdate(opening_, out, &written, sealed, static_cast<int>(length)) == 1) &&
         EVP_DecryptFinal_ex(opening_, out + length, &written) == 1;
}
