// Records such as an API answers with: a JSON array of objects, of any size.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::bench {

struct Records {
  std::string text;
  unsigned count = 0;
};

// At least so many bytes, and less than a record more.
inline Records make_records(std::size_t bytes) {
  constexpr std::string_view langs[] = {"en", "ja", "es", "pt", "ar", "fr", "ko", "tr"};
  Records records{.text = "["};
  for (unsigned i = 0; records.text.size() < bytes; i = ++records.count) {
    if (i > 0) records.text += ',';
    const std::string n = std::to_string(i);
    records.text +=
        R"({"id":50587492409581)" + n + R"(,"text":"async fetch worker caf\u00e9 \"quoted\" )" +
        std::string(i % 90, 'x') + R"(","user":{"id":)" + n + R"(,"screen_name":"user_)" + n +
        R"(","verified":false,"location":"São Paulo"},"lang":")" + std::string(langs[i * 7 % 8]) +
        R"(","score":)" + std::to_string(i % 1000) + "." + std::to_string(i % 97) +
        R"(,"retweet_count":)" + std::to_string(i % 5000) +
        R"(,"entities":{"hashtags":["queue","latency"],"indices":[1,99]}})";
  }
  records.text += ']';
  return records;
}

}  // namespace fetchmill::bench
