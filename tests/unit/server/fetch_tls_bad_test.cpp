// What a TLS upstream must not cost, and what ends instead of growing.
#include "tests/unit/server/fetch_certificates.hpp"
#include "tests/unit/server/fetch_fixture.hpp"

#include <string>

namespace fetchmill::server::fetch::testing {
namespace {

class BadTls : public FetchTest {
 protected:
  BadTls() { settings.fetch.ca_file = authority.file(); }

  // One fetch from an upstream that plays this script.
  void fetch_from(const Script& script, Fetched& fetched) {
    Upstream upstream({script}, tls.get());
    fetch(url(upstream), fetched);
    fetcher().stop();
  }
  static std::string url(const Upstream& upstream) {
    return upstream.url("/", "127.0.0.1", "https");
  }

  Authority authority;
  TlsServer tls = authority.server("IP:127.0.0.1");
};

// What a client offers.
struct Offered {
  bool finite_fields_by_cipher = false;
  bool finite_fields_by_group = false;
};

int note_offered(SSL* session, int*, void* into) {
  Offered& offered = *static_cast<Offered*>(into);
  const unsigned char* bytes = nullptr;
  std::size_t count = SSL_client_hello_get0_ciphers(session, &bytes);
  for (; count >= 2; bytes += 2, count -= 2) {
    const SSL_CIPHER* cipher = SSL_CIPHER_find(session, bytes);
    if (cipher && SSL_CIPHER_get_kx_nid(cipher) == NID_kx_dhe)
      offered.finite_fields_by_cipher = true;
  }
  if (SSL_client_hello_get0_ext(session, TLSEXT_TYPE_supported_groups, &bytes, &count) != 1)
    return SSL_CLIENT_HELLO_ERROR;
  // A length, and then two bytes each: those of finite fields begin with 1 (RFC 7919).
  for (std::size_t i = 2; i < count; i += 2)
    if (bytes[i] == 1) offered.finite_fields_by_group = true;
  return SSL_CLIENT_HELLO_SUCCESS;
}

TEST_F(BadTls, NoKeyIsAgreedOnInAFieldThatTheUpstreamChooses) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Offered offered;
    SSL_CTX_set_max_proto_version(tls.get(), version);
    SSL_CTX_set_client_hello_cb(tls.get(), note_offered, &offered);
    Fetched fetched;
    fetch_from([](Peer& peer) { peer.answer_all(ok_response("x")); }, fetched);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_FALSE(offered.finite_fields_by_cipher);
    EXPECT_FALSE(offered.finite_fields_by_group);
    renew();
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
