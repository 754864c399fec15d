#include "tests/fault/work.hpp"

#include "tests/fault/http.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <openssl/evp.h>

namespace fetchmill::tests::fault {
namespace {

constexpr std::size_t text_bytes = 8 * 1024 * 1024;

std::uint64_t between(Random& random, std::uint64_t low, std::uint64_t high) {
  return std::uniform_int_distribution<std::uint64_t>(low, high)(random);
}

std::string letters(Random& random, std::size_t count) {
  std::string out(count, ' ');
  for (char& c : out) c = "abcdefghijklmnopqrstuvwxyz0123456789"[random() % 36];
  return out;
}

// Each body is unique: a result can be nobody else's, and what is refused as poison is only itself.
std::string unique_body(Random& random, const Materials& materials, std::size_t bytes) {
  std::string body = letters(random, 24);
  if (bytes <= body.size()) return body;
  const std::size_t more = bytes - body.size();
  body += materials.text().substr(between(random, 0, text_bytes - more), more);
  return body;
}

std::size_t body_size(Random& random) {
  const std::uint64_t dice = random() % 100;
  if (dice < 60) return between(random, 24, 2000);
  if (dice < 92) return between(random, 2000, 64 * 1024);
  return between(random, 256 * 1024, 4 * 1024 * 1024);
}

void echo(Work& work) {
  work.op = "echo";
  work.right = work.body();
}

void cpu_loop(Work& work, Random& random) {
  const std::uint64_t iterations = between(random, 1000, 4'000'000);
  work.op = "cpu.loop";
  work.parameters = ",\"iterations\":" + std::to_string(iterations);
  work.query = "&iterations=" + std::to_string(iterations);
  work.right = std::to_string(work.body().size() * (iterations * (iterations - 1) / 2));
}

// True: it is one that ends badly.
bool may_be_bad(Work& work, Random& random, const Mix& mix) {
  const std::uint64_t dice = random() % 4000;
  if (dice < 8) {
    constexpr std::array ways{"segv", "abort", "exit", "terminate", "overflow"};
    const std::string how = ways[random() % ways.size()];
    work.ends = Ends::crashed;
    work.op = "crash";
    work.parameters = R"(,"how":")" + how + "\"";
    work.query = "&how=" + how;
  } else if (dice < 12) {
    work.ends = Ends::timed_out;
    work.op = "spin_forever";
  } else if (dice < 14 && mix.memory_limit) {
    work.ends = Ends::out_of_memory;
    work.op = "balloon";
  } else {
    return false;
  }
  return true;
}

std::string get(std::uint16_t port, const std::string& target) {
  Connection connection(port, 10);
  Response response;
  const std::string wrong = connection.exchange({.target = target}, response);
  if (!wrong.empty() || response.status != 200)
    throw std::runtime_error("the origin does not serve " + target + ": " + wrong);
  return std::move(response.body);
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4U];
    hex += "0123456789abcdef"[byte & 15U];
  }
  return hex;
}

Materials::Materials(std::uint16_t origin_port) {
  for (const char* target :
       {"/bytes?n=10", "/bytes?n=5000", "/bytes?n=300000", "/bytes?n=3000000"}) {
    pages_.push_back({target, get(origin_port, target), {}});
    pages_.back().sha256 = sha256(pages_.back().body);
  }
  for (const char* target : {"/json?records=5", "/json?records=300", "/json?records=5000"})
    arrays_.push_back({target, get(origin_port, target), {}});
  Random random(1);
  text_ = letters(random, text_bytes);
}

Work make_process_work(Random& random, const Materials& materials, const Mix& mix) {
  Work work;
  work.own_body = unique_body(random, materials, body_size(random));
  if (may_be_bad(work, random, mix)) return work;
  const std::uint64_t dice = random() % 100;
  if (dice < 45) {
    echo(work);
  } else if (dice < 65) {
    work.op = "hash";
    work.right = sha256(work.body());
  } else if (dice < 85) {
    const std::string id = std::to_string(random());
    work.own_body = R"({"padding":")" + work.own_body + R"(","id":)" + id + "}";
    work.op = "json.select";
    work.query = "&pointer=/id";
    work.right = id;
  } else {
    cpu_loop(work, random);
  }
  return work;
}

Work make_fetch_work(Random& random, const Materials& materials, const Mix& mix) {
  Work work;
  work.own_body = letters(random, between(random, 24, 400));
  work.target = "/text?text=" + work.own_body;
  if (may_be_bad(work, random, mix)) return work;
  const std::uint64_t dice = random() % 100;
  if (dice < 45) {
    echo(work);
  } else if (dice < 65) {
    const Materials::Page& page = materials.page(random);
    work.op = "hash";
    work.page = &page.body;
    work.target = page.target;
    work.right = page.sha256;
  } else if (dice < 85) {
    const Materials::Page& page = materials.array(random);
    const std::uint64_t records = std::stoull(page.target.substr(page.target.find('=') + 1));
    const std::string id = std::to_string(random() % records);
    work.op = "json.select";
    work.parameters = R"(,"pointer":"/)" + id + "/id\"";
    work.query = "&pointer=/" + id + "/id";
    work.page = &page.body;
    work.target = page.target;
    work.right = id;
  } else {
    cpu_loop(work, random);
  }
  return work;
}

}  // namespace fetchmill::tests::fault
