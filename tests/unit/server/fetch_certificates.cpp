#include "tests/unit/server/fetch_certificates.hpp"

#include <cstdio>

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace fetchmill::server::fetch::testing {
namespace {

constexpr long hour_seconds = 3600;

long next_serial() {
  static long serial = 0;
  return ++serial;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  EXPECT_EQ(X509_add_ext(certificate, extension.get(), -1), 1);
}

// `issuer` null: signed by itself.
Certificate make_certificate(const std::string& name, EVP_PKEY* key, X509* issuer,
                             EVP_PKEY* issuer_key, long hours, const Looks& looks = {}) {
  const std::string& common_name = looks.common_name.empty() ? name : looks.common_name;
  Certificate made(X509_new());
  X509* certificate = made.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), next_serial());
  X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * hour_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), hours * hour_seconds);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate));
  if (issuer) {
    add_extension(certificate, issuer, NID_subject_alt_name, name);
    add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
  } else {
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  }
  if (looks.comment_bytes > 0)
    add_extension(certificate, certificate, NID_netscape_comment,
                  std::string(looks.comment_bytes, 'c'));
  EXPECT_GT(X509_sign(certificate, issuer_key, EVP_sha256()), 0);
  return made;
}

// A new file, open for writing; `path` becomes its name.
std::FILE* create_file(std::string& path) {
  path = ::testing::TempDir() + "fetch-tls-XXXXXX";
  return ::fdopen(::mkstemp(path.data()), "w");
}

}  // namespace

Authority::Authority(const std::string& name)
    : key_(EVP_EC_gen("P-256")),
      certificate_(
          make_certificate(name.empty() ? "Test authority " + std::to_string(next_serial()) : name,
                           key_.get(), nullptr, key_.get(), 24)) {
  std::FILE* file = create_file(file_);
  PEM_write_X509(file, certificate_.get());
  std::fclose(file);
}

Authority::~Authority() {
  ::unlink(file_.c_str());
}

TlsServer Authority::server(const std::string& names, int hours, const Looks& looks) const {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate =
      make_certificate(names, key.get(), certificate_.get(), key_.get(), hours, looks);
  TlsServer made(SSL_CTX_new(TLS_server_method()));
  EXPECT_EQ(SSL_CTX_use_certificate(made.get(), certificate.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(made.get(), key.get()), 1);
  if (looks.chain_bytes > 0) {
    Certificate other = make_certificate("An authority", key.get(), nullptr, key.get(), hours,
                                         {.comment_bytes = looks.chain_bytes});
    EXPECT_EQ(SSL_CTX_add0_chain_cert(made.get(), other.release()), 1);
  }
  return made;
}

TlsServer Authority::server_of_itself() const {
  TlsServer made(SSL_CTX_new(TLS_server_method()));
  EXPECT_EQ(SSL_CTX_use_certificate(made.get(), certificate_.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(made.get(), key_.get()), 1);
  return made;
}

TlsServer Authority::server_for_clients(const std::string& names, bool needed) const {
  TlsServer made = server(names);
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | (needed ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  EXPECT_EQ(SSL_CTX_load_verify_file(made.get(), file_.c_str()), 1);
  return made;
}

Authority::ClientFiles::ClientFiles(const Authority& authority, const std::string& password) {
  const Key client_key(EVP_EC_gen("P-256"));
  const Certificate made = make_certificate("DNS:client.example", client_key.get(),
                                            authority.certificate_.get(), authority.key_.get(), 24);
  std::FILE* file = create_file(certificate);
  PEM_write_X509(file, made.get());
  std::fclose(file);
  file = create_file(key);
  PEM_write_PrivateKey(file, client_key.get(), password.empty() ? nullptr : EVP_aes_128_cbc(),
                       reinterpret_cast<const unsigned char*>(password.data()),
                       static_cast<int>(password.size()), nullptr, nullptr);
  std::fclose(file);
}

Authority::ClientFiles::~ClientFiles() {
  ::unlink(certificate.c_str());
  ::unlink(key.c_str());
}

}  // namespace fetchmill::server::fetch::testing
