#include "server/fetch/tls.hpp"

#include "server/fetch/authorities.hpp"
#include "server/fetch/free_with.hpp"

#include <array>
#include <ctime>
#include <span>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace fetchmill::server::fetch {
namespace {

// Where the ca-certificates package puts all authorities in one file. The directory form of the
// same would be searched during handshakes: file I/O on the loop.
constexpr const char* system_bundle = "/etc/ssl/certs/ca-certificates.crt";

// Without those that agree on keys in finite fields: a server chooses the prime, and one of 10,000
// bits holds the loop up for most of a second. A handshake on the curves takes a millisecond.
constexpr const char* tls12_ciphers = "DEFAULT:!kDHE";
constexpr const char* tls_groups = "X25519:P-256:X448:P-521:P-384";

// Of what an upstream shows of itself, ten times what a chain takes. So much it also may say about
// the client certificates it wants.
constexpr long certificate_bytes_max = 32 * 1024;
// A longer ticket (with the certificate that it was given for) is not worth its memory.
constexpr int ticket_bytes_max = 8 * 1024;

std::string last_error() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_peek_error();
  if (code == 0) return "unknown error";
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

const char* verify_words(long result) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate is not valid yet";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the certificate's issuer is unknown";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "the certificate is self-signed and not trusted";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is for another name";
    case X509_V_ERR_CERT_REVOKED:
      return "the certificate was revoked";
    default:
      return nullptr;
  }
}

std::string name_text(const X509_NAME* name) {
  const std::unique_ptr<BIO, FreeWith<BIO_free>> text(BIO_new(BIO_s_mem()));
  if (!text || X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  const char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  std::array<char, 32> text{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::string(text.data(),
                     std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::span<const unsigned char> protocols_of(Alpn alpn) {
  static constexpr std::array<unsigned char, 12> protocols{2,   'h', '2', 8,   'h', 't',
                                                           't', 'p', '/', '1', '.', '1'};
  return std::span(protocols).subspan(alpn == Alpn::http2 ? 0 : 3);
}

// What is better said in our words; null: OpenSSL's will do.
const char* failure_words(unsigned long code) {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return nullptr;
  switch (ERR_GET_REASON(code)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the upstream speaks no TLS of version 1.2 or newer";
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
      return "the upstream's certificates, or what it says about those it wants, take more than "
             "32 KiB";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return "the upstream does not speak TLS";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the upstream asks for a client certificate";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the upstream does not trust the client certificate's issuer";
    default:
      return nullptr;
  }
}

// A key that wants a password is an error, not a question at the terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

config::Error failed(const std::string& what, std::string field) {
  config::Error error(config::ErrorCode::invalid_request, what + ": " + last_error(),
                      std::move(field));
  ERR_clear_error();
  return error;
}

config::Result<void> load_client_certificate(SSL_CTX* context, const TlsFiles& files,
                                             const std::string& section) {
  if (files.client_certificate_file.empty()) return {};
  SSL_CTX_set_default_passwd_cb(context, no_password);
  if (SSL_CTX_use_certificate_chain_file(context, files.client_certificate_file.c_str()) != 1)
    return failed("no certificate can be read from " + files.client_certificate_file,
                  section + "client_certificate_file");
  if (SSL_CTX_use_PrivateKey_file(context, files.client_key_file.c_str(), SSL_FILETYPE_PEM) == 1)
    return {};
  const bool other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                     ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
  return failed(other
                    ? files.client_key_file + " is not the key of the certificate in " +
                          files.client_certificate_file
                    : "no private key without a password can be read from " + files.client_key_file,
                section + "client_key_file");
}

}  // namespace

void TlsDelete::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

void TlsDelete::operator()(ssl_st* session) const {
  SSL_free(session);
}

// Called by OpenSSL when the upstream hands out a ticket; 0 leaves it to OpenSSL.
int TlsResumption::on_ticket(SSL* session, SSL_SESSION* ticket) {
  auto& kept = *static_cast<TlsResumption*>(SSL_get_app_data(session));
  if (kept.context_ == SSL_get_SSL_CTX(session)) kept.keep(*ticket);
  return 0;
}

void TlsResumption::keep(const SSL_SESSION& ticket) {
  const int bytes = i2d_SSL_SESSION(&ticket, nullptr);
  if (bytes <= 0 || bytes > ticket_bytes_max) return forget();
  ticket_.reset(new unsigned char[static_cast<std::size_t>(bytes)]);
  ticket_bytes_ = bytes;
  unsigned char* into = ticket_.get();
  i2d_SSL_SESSION(&ticket, &into);
}

void TlsResumption::offer(SSL& session) const {
  const unsigned char* from = ticket_.get();
  const std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>> ticket(
      d2i_SSL_SESSION(nullptr, &from, ticket_bytes_));
  if (ticket) SSL_set_session(&session, ticket.get());
}

void TlsResumption::forget() {
  ticket_.reset();
  ticket_bytes_ = 0;
}

void TlsResumption::use(const SSL_CTX* context) {
  if (context_ == context) return;
  context_ = context;
  forget();
}

config::Result<TlsContext> TlsContext::make(const TlsFiles& files, std::string_view section_name,
                                            bool http2) {
  const std::string section = std::string(section_name) + '.';
  const std::string ca_setting = section + "ca_file";
  ERR_clear_error();
  TlsContext made(std::unique_ptr<ssl_ctx_st, TlsDelete>(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* context = made.context_.get();
  if (!context) return failed("OpenSSL cannot be started", ca_setting);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (SSL_CTX_set_cipher_list(context, tls12_ciphers) != 1 ||
      SSL_CTX_set1_groups_list(context, tls_groups) != 1)
    return failed("OpenSSL has no ciphers for this", ca_setting);
  SSL_CTX_set_max_cert_list(context, certificate_bytes_max);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  // Whole records in one read instead of a header and a record.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsResumption::on_ticket);
  const std::span<const unsigned char> offered = protocols_of(http2 ? Alpn::http2 : Alpn::http1);
  SSL_CTX_set_alpn_protos(context, offered.data(), static_cast<unsigned>(offered.size()));

  const config::Result<void> client = load_client_certificate(context, files, section);
  if (!client) return client.error();
  if (!files.ca_file.empty()) {
    if (SSL_CTX_load_verify_file(context, files.ca_file.c_str()) != 1)
      return failed("no certificate authorities can be read from " + files.ca_file, ca_setting);
  } else if (::access(system_bundle, R_OK) != 0) {
    made.has_authorities_ = false;
  } else if (!trust_bundle(context, system_bundle)) {
    return failed(std::string("no certificate authorities can be read from ") + system_bundle,
                  ca_setting);
  }
  return made;
}

TlsSession TlsContext::session(const Host& host, TlsResumption& resumption, Alpn alpn) const {
  TlsSession made(SSL_new(context_.get()));
  if (!made) return nullptr;
  SSL* session = made.get();
  SSL_set_app_data(session, &resumption);
  X509_VERIFY_PARAM* expected = SSL_get0_param(session);
  bool ready;
  if (host.address) {
    ready = X509_VERIFY_PARAM_set1_ip(expected, host.address->bytes.data(),
                                      host.address->size_bytes()) == 1;
  } else {
    // A name is the same with and without the root's dot; certificates have none.
    const std::string name = host.text.substr(0, host.text.size() - host.text.ends_with('.'));
    // The subject's common name is for people (RFC 9110 4.3.4).
    X509_VERIFY_PARAM_set_hostflags(
        expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    ready = X509_VERIFY_PARAM_set1_host(expected, name.data(), name.size()) == 1 &&
            SSL_set_tlsext_host_name(session, name.c_str()) == 1;
  }
  if (!ready) return nullptr;
  if (alpn == Alpn::http1) {
    const std::span<const unsigned char> offered = protocols_of(alpn);
    SSL_set_alpn_protos(session, offered.data(), static_cast<unsigned>(offered.size()));
  }
  resumption.use(context_.get());
  if (resumption) resumption.offer(*session);
  SSL_set_connect_state(session);
  return made;
}

TlsFacts tls_facts(const ssl_st& session) {
  TlsFacts facts;
  facts.version = SSL_get_version(&session);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(&session))
    facts.cipher = SSL_CIPHER_standard_name(cipher);
  const unsigned char* protocol = nullptr;
  unsigned protocol_bytes = 0;
  SSL_get0_alpn_selected(&session, &protocol, &protocol_bytes);
  if (protocol_bytes > 0)
    facts.protocol.assign(reinterpret_cast<const char*>(protocol), protocol_bytes);
  facts.resumed = SSL_session_reused(&session) == 1;
  if (const X509* certificate = SSL_get0_peer_certificate(&session)) {
    facts.subject = name_text(X509_get_subject_name(certificate));
    facts.issuer = name_text(X509_get_issuer_name(certificate));
    facts.not_before = time_text(X509_get0_notBefore(certificate));
    facts.not_after = time_text(X509_get0_notAfter(certificate));
  }
  return facts;
}

bool agreed_on_http2(const ssl_st* session) {
  const unsigned char* name = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(session, &name, &bytes);
  return std::string_view(reinterpret_cast<const char*>(name), bytes) == "h2";
}

const char* tls_alert() {
  const unsigned long code = ERR_peek_error();
  if (ERR_GET_LIB(code) != ERR_LIB_SSL || ERR_GET_REASON(code) <= SSL_AD_REASON_OFFSET)
    return nullptr;
  const char* words = failure_words(code);
  return words ? words : ERR_reason_error_string(code);
}

config::FetchFault tls_fault(const ssl_st* session) {
  if (SSL_get_verify_result(session) != X509_V_OK) return config::FetchFault::tls_certificate_error;
  return tls_alert() ? config::FetchFault::tls_alert_received : config::FetchFault::none;
}

std::string tls_failure(const ssl_st* session) {
  std::string words;
  if (const long result = SSL_get_verify_result(session); result != X509_V_OK) {
    const char* known = verify_words(result);
    words = known ? known : X509_verify_cert_error_string(result);
  } else {
    const char* known = failure_words(ERR_peek_error());
    words = known ? known : last_error();
  }
  ERR_clear_error();
  return words;
}

}  // namespace fetchmill::server::fetch
