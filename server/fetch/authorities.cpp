#include "server/fetch/authorities.hpp"

#include "server/fetch/free_with.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace fetchmill::server::fetch {
namespace {

using Der = std::span<const unsigned char>;

using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Name = std::unique_ptr<X509_NAME, FreeWith<X509_NAME_free>>;
using Input = std::unique_ptr<BIO, FreeWith<BIO_free>>;

// ---- the subject of a certificate, without decoding the rest (RFC 5280, section 4.1)

struct Element {
  int tag = 0;  // of its class; -1: not universal
  Der whole;
  Der content;
};

// Takes the first element off `rest`.
std::optional<Element> take_element(Der& rest) {
  const unsigned char* at = rest.data();
  long bytes = 0;
  int tag = 0;
  int tag_class = 0;
  const int form = ASN1_get_object(&at, &bytes, &tag, &tag_class, static_cast<long>(rest.size()));
  if ((form & 0x81) != 0) return std::nullopt;  // malformed, or of no declared length
  const Der content(at, static_cast<std::size_t>(bytes));
  const Der whole =
      rest.first(static_cast<std::size_t>(content.data() - rest.data()) + content.size());
  rest = rest.subspan(whole.size());
  return Element{tag_class == V_ASN1_UNIVERSAL ? tag : -1, whole, content};
}

std::optional<Der> subject_of(Der der) {
  const std::optional<Element> certificate = take_element(der);
  if (!certificate || certificate->tag != V_ASN1_SEQUENCE) return std::nullopt;
  Der rest = certificate->content;
  const std::optional<Element> signed_part = take_element(rest);
  if (!signed_part || signed_part->tag != V_ASN1_SEQUENCE) return std::nullopt;
  rest = signed_part->content;
  std::optional<Element> element = take_element(rest);
  if (element && element->tag == -1) element = take_element(rest);  // behind the version
  // The serial number; signature algorithm, issuer and validity stand before the subject.
  if (!element || element->tag != V_ASN1_INTEGER) return std::nullopt;
  for (int i = 0; i < 4; ++i)
    if (element = take_element(rest); !element || element->tag != V_ASN1_SEQUENCE)
      return std::nullopt;
  return element->whole;
}

// ---- the bundle

// By what authorities are looked up: equal names have equal hashes.
std::optional<unsigned long> hash_of(const X509_NAME* name) {
  int good = 0;
  const unsigned long hash = X509_NAME_hash_ex(name, nullptr, nullptr, &good);
  return good == 1 ? std::optional(hash) : std::nullopt;
}

struct Bundled {
  unsigned long subject_hash = 0;
  std::vector<unsigned char> der;
};
using Bundle = std::vector<Bundled>;

std::optional<Bundled> bundled(Der der) {
  const std::optional<Der> subject = subject_of(der);
  if (!subject) return std::nullopt;
  const unsigned char* at = subject->data();
  const Name name(d2i_X509_NAME(nullptr, &at, static_cast<long>(subject->size())));
  if (!name) return std::nullopt;
  const std::optional<unsigned long> hash = hash_of(name.get());
  if (!hash) return std::nullopt;
  return Bundled{*hash, {der.begin(), der.end()}};
}

// One block of a PEM file.
struct Block {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;

  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(bytes);
  }
};

std::optional<Bundle> read_bundle(const std::string& path) {
  const Input file(BIO_new_file(path.c_str(), "r"));
  if (!file) return std::nullopt;
  Bundle bundle;
  for (;;) {
    Block block;
    if (PEM_read_bio(file.get(), &block.name, &block.header, &block.bytes, &block.size) != 1) break;
    if (std::string_view(block.name) != PEM_STRING_X509) continue;
    std::optional<Bundled> one = bundled({block.bytes, static_cast<std::size_t>(block.size)});
    if (!one) return std::nullopt;
    bundle.push_back(std::move(*one));
  }
  // The end shows as a block that does not begin.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return std::nullopt;
  ERR_clear_error();
  if (bundle.empty()) return std::nullopt;
  return bundle;
}

// ---- as OpenSSL asks for it, while it builds a chain and has not found `wanted` in its store

int find_by_subject(X509_LOOKUP* lookup, X509_LOOKUP_TYPE type, const X509_NAME* wanted,
                    X509_OBJECT* found) {
  if (type != X509_LU_X509) return 0;
  const std::optional<unsigned long> hash = hash_of(wanted);
  if (!hash) return 0;
  X509_STORE* store = X509_LOOKUP_get_store(lookup);
  bool added = false;
  ERR_set_mark();
  // Several may have one name: all of them go into the store, where OpenSSL chooses.
  for (const Bundled& one : *static_cast<const Bundle*>(X509_LOOKUP_get_method_data(lookup))) {
    if (one.subject_hash != *hash) continue;
    const unsigned char* at = one.der.data();
    const Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(one.der.size())));
    if (certificate && X509_NAME_cmp(X509_get_subject_name(certificate.get()), wanted) == 0 &&
        X509_STORE_add_cert(store, certificate.get()) == 1)
      added = true;
  }
  ERR_pop_to_mark();  // what could not be decoded must not look like an error of the handshake
  X509_OBJECT* held =
      added ? X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), X509_LU_X509, wanted)
            : nullptr;
  if (held == nullptr || X509_OBJECT_set1_X509(found, X509_OBJECT_get0_X509(held)) != 1) return 0;
  // Whoever asked takes a reference of its own, and does not give this one back.
  X509_free(X509_OBJECT_get0_X509(found));
  return 1;
}

void release_bundle(X509_LOOKUP* lookup) {
  delete static_cast<Bundle*>(X509_LOOKUP_get_method_data(lookup));
}

// Lives as long as the process; null when memory is short.
X509_LOOKUP_METHOD* lookup_method() {
  static X509_LOOKUP_METHOD* const method = [] {
    X509_LOOKUP_METHOD* made = X509_LOOKUP_meth_new("certificates of a bundle, when needed");
    if (made != nullptr) {
      X509_LOOKUP_meth_set_get_by_subject(made, find_by_subject);
      X509_LOOKUP_meth_set_free(made, release_bundle);
    }
    return made;
  }();
  return method;
}

}  // namespace

bool trust_bundle(SSL_CTX* context, const std::string& path) {
  std::optional<Bundle> bundle = read_bundle(path);
  if (!bundle || lookup_method() == nullptr) return false;
  X509_LOOKUP* lookup = X509_STORE_add_lookup(SSL_CTX_get_cert_store(context), lookup_method());
  if (lookup == nullptr) return false;
  X509_LOOKUP_set_method_data(lookup, new Bundle(std::move(*bundle)));  // ends by release_bundle
  return true;
}

}  // namespace fetchmill::server::fetch
