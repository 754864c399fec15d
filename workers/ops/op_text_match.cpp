// text.match: all matches of an RE2 pattern, with their captures.
#include "workers/json/json_write.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/text_input.hpp"

#include <algorithm>

#include <re2/re2.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// Of the compiled pattern and of its cache of states, each time it runs dry and starts anew.
constexpr std::int64_t pattern_memory_bytes_max = 16 * 1024 * 1024;

// Captures cost memory for each state the matcher is in.
constexpr std::size_t groups_max = 100;

RE2::Options options() {
  RE2::Options options(RE2::Quiet);  // does not write to stderr
  options.set_max_mem(pattern_memory_bytes_max);
  return options;
}

std::string with_flags(const std::string& flags, const std::string& pattern) {
  return flags.empty() ? pattern : "(?" + flags + ")" + pattern;
}

class MatchStep final : public Step {
 public:
  explicit MatchStep(const Params& given)
      : text_(given),
        pattern_(with_flags(given.get<std::string>("flags"), given.get<std::string>("pattern")),
                 options()),
        only_count_(given.get<bool>("count")) {
    if (!pattern_.ok()) return;
    groups_.resize(1 + static_cast<std::size_t>(pattern_.NumberOfCapturingGroups()));
    // By number, so that `named` lists them in the pattern's order.
    for (const auto& [number, name] : pattern_.CapturingGroupNames())
      names_.emplace_back(static_cast<std::size_t>(number), name);
  }

  // What is wrong with the pattern; empty: nothing.
  std::string fault() const {
    constexpr std::size_t shown_bytes_max = 200;  // RE2 quotes what it does not like
    if (!pattern_.ok())
      return "is not a pattern that RE2 takes: " + pattern_.error().substr(0, shown_bytes_max);
    if (groups_.size() > 1 + groups_max)
      return "has more than " + std::to_string(groups_max) + " groups; (?:…) captures nothing";
    // RE2 takes them, but the result names each group once.
    for (auto name = names_.begin(); name != names_.end(); ++name)
      if (std::ranges::find(names_.begin(), name, name->second, &Name::second) != name)
        return "has two groups of the name \"" + name->second + "\"";
    return {};
  }

  Result<void> run(const Input& input, Output& output) override {
    const Result<std::string_view> text = text_.read(input);
    if (!text) return text.error();
    if (only_count_) {
      output.bytes += R"({"count":)";
      json::append_json_number(output.bytes, for_each_match(*text, 1, [] { return true; }));
      output.bytes += '}';
      return {};
    }
    std::string_view separator = "[";
    bool fits = true;
    for_each_match(*text, groups_.size(), [&] {
      output.bytes += std::exchange(separator, ",\n");
      append_match(output.bytes, text->data());
      fits = output.bytes.size() <= step_output_bytes_max;
      return fits;
    });
    output.bytes += separator == "[" ? "[]" : "]";
    if (fits) return {};
    return Error(ErrorCode::result_too_large, "the matches make more than " +
                                                  std::to_string(step_output_bytes_max) +
                                                  " bytes of JSON; ask for the `count`");
  }

 private:
  using Name = std::pair<std::size_t, std::string>;  // by the group's number

  // Calls `found` for each match, its captures in groups_, until it says false. Returns how many
  // there were. Matches do not overlap; behind an empty one the search goes on at the next
  // character.
  template <class Found>
  std::uint64_t for_each_match(std::string_view text, std::size_t groups, Found found) {
    std::uint64_t count = 0;
    const re2::StringPiece whole(text.data(), text.size());
    const char* last_end = nullptr;
    for (std::size_t at = 0;
         at <= text.size() && pattern_.Match(whole, at, text.size(), RE2::UNANCHORED,
                                             groups_.data(), static_cast<int>(groups));) {
      const re2::StringPiece match = groups_.front();
      const char* const end = match.data() + match.size();
      const bool adjoins_last = match.empty() && match.data() == last_end;
      at = static_cast<std::size_t>(end - text.data());
      if (match.empty()) at += character_bytes(text.substr(at));
      last_end = end;
      if (adjoins_last) continue;
      ++count;
      if (!found()) break;
    }
    return count;
  }

  static std::size_t character_bytes(std::string_view text) {
    std::size_t bytes = 1;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U)
      ++bytes;
    return bytes;
  }

  void append_match(std::string& out, const char* text) const {
    const re2::StringPiece& match = groups_.front();
    out += R"({"match":)";
    append_group(out, 0);
    out += R"(,"start":)";
    json::append_json_number(out, match.data() - text);
    out += R"(,"end":)";
    json::append_json_number(out, match.data() + match.size() - text);
    out += R"(,"groups":[)";
    for (std::size_t i = 1; i < groups_.size(); ++i) {
      if (i > 1) out += ',';
      append_group(out, i);
    }
    out += ']';
    std::string_view separator = R"(,"named":{)";
    for (const auto& [number, name] : names_) {
      out += std::exchange(separator, ",");
      json::append_json_string(out, name);
      out += ':';
      append_group(out, number);
    }
    out += names_.empty() ? "}" : "}}";
  }

  void append_group(std::string& out, std::size_t number) const {
    const re2::StringPiece& group = groups_[number];
    if (group.data() == nullptr)
      out += "null";
    else
      json::append_json_string(out, {group.data(), group.size()});
  }

  TextInput text_;
  RE2 pattern_;
  bool only_count_;
  std::vector<re2::StringPiece> groups_;  // the whole match first
  std::vector<Name> names_;
};

Result<std::unique_ptr<Step>> compile(const Op&, const Params& given) {
  auto step = std::make_unique<MatchStep>(given);
  if (const std::string fault = step->fault(); !fault.empty())
    return Error(ErrorCode::invalid_request, "pattern " + fault, "pattern");
  return Result<std::unique_ptr<Step>>(std::move(step));
}

std::string flags_fault(std::string_view flags) {
  if (flags.find_first_not_of("imsU") == std::string_view::npos) return {};
  return "takes only the letters i, m, s and U";
}

constexpr ParamSpec params[] = {
    {.name = "pattern",
     .required = true,
     .description = "A regular expression in RE2's syntax: no look-around, no back references."},
    {.name = "flags",
     .default_json = "\"\"",
     .fault = flags_fault,
     .description = "Letters: i, letter case does not matter; m, `^` and `$` also match at line "
                    "ends; s, `.` matches line ends too; U, repetitions take as little as they "
                    "can."},
    {.name = "count",
     .types = boolean_type,
     .default_json = "false",
     .description = "true: only the number of matches, as `{\"count\":N}`."},
    charset_param,
};
constexpr Example examples[] = {
    {.params = R"j({"pattern":"(?P<month>[A-Z][a-z]+) (\\d{4})"})j",
     .input = "May 2024, June 2025",
     .output = "[{\"match\":\"May 2024\",\"start\":0,\"end\":8,\"groups\":[\"May\",\"2024\"],"
               "\"named\":{\"month\":\"May\"}},\n"
               R"({"match":"June 2025","start":10,"end":19,"groups":["June","2025"],)"
               R"("named":{"month":"June"}}])"},
    {.params = R"({"pattern":"error","flags":"i","count":true})",
     .input = "Error: none\nno ERROR\n",
     .output = R"({"count":2})"},
};
constexpr std::string_view input_types[] = {"text/*"};

}  // namespace

extern const Op text_match_op;
const Op text_match_op{
    .name = "text.match",
    .summary = "All matches of a regular expression (RE2), with their captures, or how many.",
    .limits =
        "A pattern may take 16 MiB and have 100 groups, no two of one name. `start` and `end` are "
        "bytes of the text in UTF-8; a group that took no part is null. One match costs time in "
        "proportion to the text, whatever the "
        "pattern; one that looks far ahead for each of many matches, such as `x*y|x`, ends at the "
        "task's time limit.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = compile,
};

}  // namespace fetchmill::workers::ops
