#include "aead.h"

bool sealGcm(EVP_CIPHER_CTX* context, uint8_t* out, const uint8_t* nonce, Bytes additional, Bytes plaintext) {
  int written = 0;
  const int length = static_cast<int>(plaintext.length);
  return EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce) == 1 &&
         EVP_EncryptUpdate(context, nullptr, &written, additional.data, static_cast<int>(additional.length)) == 1 &&
         (length == 0 || EVP_EncryptUpdate(context, out, &written, plaintext.data, length) == 1) &&
         EVP_EncryptFinal_ex(context, out + length, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, out + length) == 1;
}

Aead::Aead(const uint8_t* key) : sealing_(EVP_CIPHER_CTX_new()), opening_(EVP_CIPHER_CTX_new()) {
  EVP_EncryptInit_ex(sealing_, EVP_aes_128_gcm(), nullptr, key, nullptr);
  EVP_DecryptInit_ex(opening_, EVP_aes_128_gcm(), nullptr, key, nullptr);
}

Aead::~Aead() {
  EVP_CIPHER_CTX_free(sealing_);
  EVP_CIPHER_CTX_free(opening_);
}

bool Aead::open(uint8_t* out, const uint8_t* nonce, Bytes additional, Bytes sealed) {
  if (sealed.length < GCM_TAG_BYTES) return false;
  int written = 0;
  const int length = static_cast<int>(sealed.length - GCM_TAG_BYTES);
  auto* tag = const_cast<uint8_t*>(sealed.data + length);  // it is only read
  return EVP_DecryptInit_ex(opening_, nullptr, nullptr, nullptr, nonce) == 1 &&
         EVP_CIPHER_CTX_ctrl(opening_, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, tag) == 1 &&
         EVP_DecryptUpdate(opening_, nullptr, &written, additional.data, static_cast<int>(additional.length)) == 1 &&
         (length == 0 || EVP_DecryptUpdate(opening_, out, &written, sealed.data, length) == 1) &&
         EVP_DecryptFinal_ex(opening_, out + length, &written) == 1;
}
