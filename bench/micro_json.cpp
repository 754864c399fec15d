// json.aggregate, json.select and the loop's scan, in GB/s, each beside plain simdjson on the same
// bytes.
//
// Usage: micro_json [FILE]. Without a file it makes records of its own; a file must be an array of
// objects with a number `score` and a string `lang`. Rounds are interleaved; the medians are
// printed.
#include "bench/records.hpp"
#include "workers/json/json_value_scan.hpp"
#include "workers/ops/pipeline.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using fetchmill::workers::ops::Runner;

// What one would write by hand: the sum and the count of one field, by another.
double hand_written(simdjson::ondemand::parser& parser, std::string_view text) {
  std::unordered_map<std::string_view, std::pair<double, std::uint64_t>> groups;
  double total = 0;
  simdjson::ondemand::document document = parser.iterate(simdjson::padded_string_view(
      text.data(), text.size(), text.size() + simdjson::SIMDJSON_PADDING));
  for (simdjson::ondemand::object item : document.get_array()) {
    const std::string_view lang = item.find_field("lang");
    const double score = item.find_field("score");
    auto& group = groups[lang];
    group.first += score;
    group.second += 1;
    total += score;
  }
  return total;
}

struct Row {
  const char* name;
  std::function<void()> run;
  std::vector<double> gb_per_s;
};

void measure(std::vector<Row>& rows, std::size_t bytes) {
  constexpr int rounds = 15;
  const std::size_t repeats = std::max<std::size_t>(1, 20'000'000 / bytes);
  for (int round = 0; round < rounds; ++round) {
    for (Row& row : rows) {
      const auto start = std::chrono::steady_clock::now();
      for (std::size_t i = 0; i < repeats; ++i) row.run();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      row.gb_per_s.push_back(static_cast<double>(bytes * repeats) / took.count() / 1e9);
    }
  }
  for (Row& row : rows) std::sort(row.gb_per_s.begin(), row.gb_per_s.end());
  const double reference = rows.front().gb_per_s[rounds / 2];
  for (const Row& row : rows) {
    const double median = row.gb_per_s[rounds / 2];
    std::printf("%9zu bytes  %-28s %6.2f GB/s  %5.2f of the hand-written loop\n", bytes, row.name,
                median, median / reference);
  }
}

void compare(std::string text) {
  const std::size_t size = text.size();
  text.append(simdjson::SIMDJSON_PADDING, '\0');
  const std::string_view bytes = std::string_view(text).substr(0, size);
  const fetchmill::workers::ops::Input input{.bytes = bytes, .media_type = "application/json"};
  simdjson::ondemand::parser parser;
  simdjson::dom::parser dom_parser;
  Runner runner;
  volatile double sink = 0;
  const auto pipeline = [&](std::string_view steps) {
    return [&runner, &input, steps] {
      if (!runner.run(steps, input)) std::puts("failed");
    };
  };
  std::vector<Row> rows{
      {"simdjson On-Demand by hand", [&] { sink = hand_written(parser, bytes); }, {}},
      {"json.aggregate",
       pipeline(R"([{"op":"json.aggregate","value":"/score","group_by":"/lang"}])"),
       {}},
      {"json.aggregate, validate",
       pipeline(R"([{"op":"json.aggregate","value":"/score","group_by":"/lang","validate":true}])"),
       {}},
      {"json.select, last item's lang",
       pipeline(R"([{"op":"json.select","pointer":["/999999/lang"]}])"),
       {}},
      {"json.validate", pipeline(R"([{"op":"json.validate"}])"), {}},
      {"simdjson DOM parse",
       [&] { sink = dom_parser.parse(text.data(), size, false).error(); },
       {}},
      {"encode_for_line",
       [&] {
         sink = runner.encode_for_line({bytes, "application/json"}).bytes.size();
       },
       {}},
      {"JsonValueScan",
       [&] {
         fetchmill::workers::json::JsonValueScan scan;
         for (std::size_t at = 0; at < size; at += 65536) scan.feed(bytes.substr(at, 65536));
         if (!scan.finish()) std::puts("failed");
       },
       {}},
  };
  measure(rows, size);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    std::ifstream file(argv[1], std::ios::binary);
    compare({std::istreambuf_iterator<char>(file), {}});
    return 0;
  }
  for (const std::size_t bytes : {1'000, 100'000, 1'000'000, 10'000'000})
    compare(fetchmill::bench::make_records(bytes).text);
}
