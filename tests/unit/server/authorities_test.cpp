#include "server/fetch/authorities.hpp"

#include "config/read_file.hpp"
#include "tests/unit/server/fetch_certificates.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

namespace fetchmill::server::fetch::testing {
namespace {

using Context = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;

std::string text_of(const std::string& path) {
  return config::read_file(path).value();
}

// A context that trusts the bundle `text`; null where that cannot be done.
Context trusting(const std::string& text) {
  std::string path = ::testing::TempDir() + "authorities-XXXXXX";  // tests run beside each other
  ::close(::mkstemp(path.data()));
  std::ofstream(path) << text;
  Context context(SSL_CTX_new(TLS_client_method()));
  const bool trusts = trust_bundle(context.get(), path);
  std::remove(path.c_str());
  return trusts ? std::move(context) : nullptr;
}

// What OpenSSL says of a chain that begins with `certificate`: X509_V_OK or why not.
int verify(const Context& context, X509* certificate) {
  const std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> chain(X509_STORE_CTX_new());
  X509_STORE_CTX_init(chain.get(), SSL_CTX_get_cert_store(context.get()), certificate, nullptr);
  X509_verify_cert(chain.get());
  return X509_STORE_CTX_get_error(chain.get());
}

int verify(const Context& context, const TlsServer& server) {
  return verify(context, SSL_CTX_get0_certificate(server.get()));
}

int decoded(const Context& context) {
  return sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context.get())));
}

TEST(Authorities, AreDecodedWhenAChainLeadsToThem) {
  const Authority first;
  const Authority second;
  const Authority third;
  const Authority other;
  const Context context = trusting("# Ours\n" + text_of(first.file()) + "\n# And\n" +
                                   text_of(second.file()) + text_of(third.file()));
  ASSERT_TRUE(context);
  EXPECT_EQ(decoded(context), 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(verify(context, second.server("DNS:a.test")), X509_V_OK);
    EXPECT_EQ(decoded(context), 1);
  }
  EXPECT_EQ(verify(context, other.server("DNS:a.test")),
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  EXPECT_EQ(verify(context, other.server_of_itself()), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
  EXPECT_EQ(decoded(context), 1);
  EXPECT_EQ(verify(context, third.server_of_itself()), X509_V_OK);
  EXPECT_EQ(decoded(context), 2);
}

TEST(Authorities, MayHaveOneName) {
  const Authority first("One authority");
  const Authority second("One authority");
  const Authority third("ONE  authority");  // the same name to X.509
  const Authority forged("One authority");
  const Context context =
      trusting(text_of(first.file()) + text_of(second.file()) + text_of(third.file()));
  ASSERT_TRUE(context);
  for (const Authority* authority : {&third, &first, &second})
    EXPECT_EQ(verify(context, authority->server("DNS:a.test")), X509_V_OK);
  EXPECT_NE(verify(context, forged.server("DNS:a.test")), X509_V_OK);
}

// A name as it should be, and nothing good behind it.
TEST(Authorities, ThatAreMalformedAreNotTrusted) {
  const Authority authority;
  std::string bytes;
  {
    std::unique_ptr<BIO, FreeWith<BIO_free>> file(BIO_new_file(authority.file().c_str(), "r"));
    const Certificate certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    bytes.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
  }
  // The curve's object identifier becomes something else.
  const std::size_t at = bytes.find("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = '\x13';
  const std::unique_ptr<BIO, FreeWith<BIO_free>> pem(BIO_new(BIO_s_mem()));
  PEM_write_bio(pem.get(), PEM_STRING_X509, "",
                reinterpret_cast<const unsigned char*>(bytes.data()),
                static_cast<long>(bytes.size()));
  const char* text = nullptr;
  const long size = BIO_get_mem_data(pem.get(), &text);
  const Context context = trusting(std::string(text, static_cast<std::size_t>(size)));
  ASSERT_TRUE(context);
  ERR_clear_error();
  EXPECT_EQ(verify(context, authority.server("DNS:a.test")),
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  EXPECT_EQ(decoded(context), 0);
  EXPECT_EQ(ERR_peek_error(), 0U) << "would end the handshake";
}

TEST(Authorities, AreNotFoundInWhatIsNoBundle) {
  EXPECT_FALSE(trust_bundle(Context(SSL_CTX_new(TLS_client_method())).get(), "/does/not/exist"));
  EXPECT_FALSE(trusting(""));
  EXPECT_FALSE(trusting("no certificates\n"));
  const Authority authority;
  const std::string good = text_of(authority.file());
  EXPECT_FALSE(trusting(good.substr(0, good.size() / 2))) << "has no end";
  EXPECT_FALSE(trusting(good + "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
      << "an empty sequence";
  EXPECT_FALSE(trusting(good + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
      << "longer than it is";
  EXPECT_FALSE(trusting(text_of(Authority::ClientFiles(authority).key))) << "a key";
}

// Every certificate of this system, by its own bundle: as when all were decoded at once.
TEST(Authorities, OfTheSystemAreThoseThatOpenSslReads) {
  const char* path = "/etc/ssl/certs/ca-certificates.crt";
  const Context all(SSL_CTX_new(TLS_client_method()));
  if (SSL_CTX_load_verify_file(all.get(), path) != 1) GTEST_SKIP() << "no " << path;
  const Context lazy(SSL_CTX_new(TLS_client_method()));
  ASSERT_TRUE(trust_bundle(lazy.get(), path));
  const std::unique_ptr<BIO, FreeWith<BIO_free>> file(BIO_new_file(path, "r"));
  int count = 0;
  for (;; ++count) {
    const Certificate certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    EXPECT_EQ(verify(lazy, certificate.get()), verify(all, certificate.get())) << count;
  }
  EXPECT_GT(count, 0);
  EXPECT_EQ(decoded(lazy), decoded(all));
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
