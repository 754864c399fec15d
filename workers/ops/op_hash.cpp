// hash: digests of the body, several at once in one pass over it.
#include "workers/json/json_write.hpp"
#include "workers/ops/op.hpp"

#include <array>

#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <xxhash.h>
#include <zlib.h>

namespace fetchmill::workers::ops {
namespace {

// Small enough to stay in the first-level cache while every digest reads it.
constexpr std::size_t block_bytes = 16 * 1024;

class Digest {
 public:
  Digest() = default;
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  virtual ~Digest() = default;
  virtual void update(std::string_view block) = 0;
  // Appends the digest in lower-case hexadecimal, and starts anew.
  virtual void finish(std::string& out) = 0;
};

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 0xFU];
  }
}

void append_big_endian(std::string& out, std::uint64_t value, unsigned bytes) {
  std::array<std::uint8_t, 8> text{};
  for (unsigned i = 0; i < bytes; ++i)
    text[i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
  append_hex(out, std::span(text).first(bytes));
}

template <class Context, std::size_t Size, auto Init, auto Update, auto Finish>
class NettleDigest final : public Digest {
 public:
  NettleDigest() { Init(&context_); }
  void update(std::string_view block) override {
    Update(&context_, block.size(), reinterpret_cast<const std::uint8_t*>(block.data()));
  }
  void finish(std::string& out) override {
    std::array<std::uint8_t, Size> digest;
    Finish(&context_, digest.size(), digest.data());
    append_hex(out, digest);
  }

 private:
  Context context_;
};

class Crc32 final : public Digest {
 public:
  void update(std::string_view block) override {
    crc_ = crc32_z(crc_, reinterpret_cast<const Bytef*>(block.data()), block.size());
  }
  void finish(std::string& out) override { append_big_endian(out, std::exchange(crc_, 0), 4); }

 private:
  uLong crc_ = 0;
};

class Xxh3 final : public Digest {
 public:
  Xxh3() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }
  void update(std::string_view block) override {
    XXH3_64bits_update(state_.get(), block.data(), block.size());
  }
  void finish(std::string& out) override {
    append_big_endian(out, XXH3_64bits_digest(state_.get()), 8);
    XXH3_64bits_reset(state_.get());
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

template <class Kind>
std::unique_ptr<Digest> make() {
  return std::make_unique<Kind>();
}

struct Algorithm {
  std::string_view name;
  std::unique_ptr<Digest> (*make)();
};
constexpr Algorithm algorithms[] = {
    {"sha256", make<NettleDigest<sha256_ctx, SHA256_DIGEST_SIZE, nettle_sha256_init,
                                 nettle_sha256_update, nettle_sha256_digest>>},
    {"sha1", make<NettleDigest<sha1_ctx, SHA1_DIGEST_SIZE, nettle_sha1_init, nettle_sha1_update,
                               nettle_sha1_digest>>},
    {"md5", make<NettleDigest<md5_ctx, MD5_DIGEST_SIZE, nettle_md5_init, nettle_md5_update,
                              nettle_md5_digest>>},
    {"crc32", make<Crc32>},
    {"xxh3", make<Xxh3>},
};
constexpr auto algorithm_names = [] {
  std::array<std::string_view, std::size(algorithms)> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = algorithms[i].name;
  return names;
}();

class HashStep final : public Step {
 public:
  HashStep(const StringList& names, bool single) : single_(single) {
    for (const std::string& name : names)
      for (const Algorithm& algorithm : algorithms)
        if (name == algorithm.name && !has(name)) digests_.emplace_back(name, algorithm.make());
  }

  config::Result<void> run(const Input& input, Output& output) override {
    for (std::size_t at = 0; at < input.bytes.size(); at += block_bytes)
      for (auto& [name, digest] : digests_) digest->update(input.bytes.substr(at, block_bytes));
    if (single_) {
      digests_.front().second->finish(output.bytes);
      return {};
    }
    output.media_type = "application/json";
    char separator = '{';
    for (auto& [name, digest] : digests_) {
      output.bytes += std::exchange(separator, ',');
      json::append_json_string(output.bytes, name);
      output.bytes += ":\"";
      digest->finish(output.bytes);
      output.bytes += '"';
    }
    output.bytes += '}';
    return {};
  }

 private:
  bool has(std::string_view name) const {
    for (const auto& [known, digest] : digests_)
      if (known == name) return true;
    return false;
  }

  bool single_;
  std::vector<std::pair<std::string, std::unique_ptr<Digest>>> digests_;
};

constexpr ParamSpec params[] = {
    {.name = "algorithm",
     .types = string_type | string_list_type,
     .default_json = "\"sha256\"",
     .values = algorithm_names,
     .description =
         "One gives its digest in hexadecimal as text, a list gives a JSON object of digests "
         "(application/json). "
         "xxh3 is XXH3 with 64 bits. Only sha256 withstands someone who wants a collision."},
};
constexpr Example examples[] = {
    {.input = "abc", .output = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {.params = R"({"algorithm":["md5","crc32"]})",
     .input = "abc",
     .output = R"({"md5":"900150983cd24fb0d6963f7d28e17f72","crc32":"352441c2"})"},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op hash_op;
const Op hash_op{
    .name = "hash",
    .summary = "Digests of the bytes: SHA-256, SHA-1, MD5, CRC-32, XXH3.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params& given) -> config::Result<std::unique_ptr<Step>> {
      const ParamValue& algorithm = *given.find("algorithm");
      if (const auto* name = std::get_if<std::string>(&algorithm))
        return std::make_unique<HashStep>(StringList{*name}, true);
      return std::make_unique<HashStep>(std::get<StringList>(algorithm), false);
    },
};

}  // namespace fetchmill::workers::ops
