#include "server/cli/command_line.hpp"

#include "config/setting_table.hpp"

#include <algorithm>
#include <optional>

namespace fetchmill::server::cli {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

bool is_flag(std::string_view argument) {
  return argument.size() > 1 && argument.starts_with('-');
}

std::string with_underscores(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '-', '_');
  return out;
}

bool is_setting(std::string_view name) {
  if (name == "config") return true;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return false;
  return std::ranges::any_of(config::section_table(), [&](const config::Section& section) {
    return section.name == name.substr(0, dot);
  });
}

Error mistake(std::string detail) {
  return Error(ErrorCode::invalid_request, std::move(detail));
}

class Parser {
 public:
  Parser(const Grammar& grammar, std::span<const std::string> arguments)
      : grammar_(grammar), arguments_(arguments) {}

  Result<CommandLine> parse() {
    while (next_ < arguments_.size()) {
      const std::string& argument = arguments_[next_++];
      if (argument == "--") {
        for (const std::string& word : arguments_.subspan(next_)) line_.words.push_back(word);
        break;
      }
      Result<void> taken = is_flag(argument) ? take_flag(argument) : take_word(argument);
      if (!taken) return taken.error();
    }
    if (line_.words.size() < grammar_.words_min) return mistake("an argument is missing");
    if (line_.words.size() > grammar_.words_max)
      return mistake("unexpected argument '" + line_.words[grammar_.words_max] + "'");
    return std::move(line_);
  }

 private:
  Result<void> take_word(const std::string& word) {
    if (grammar_.others == OtherFlags::settings)
      line_.settings.push_back(word);
    else
      line_.words.push_back(word);
    return {};
  }

  const Option* find_option(std::string_view flag) const {
    const bool is_long = flag.starts_with("--");
    for (const Option& option : grammar_.options)
      if (is_long ? with_underscores(option.name) == with_underscores(flag.substr(2))
                  : flag.size() == 2 && option.letter == flag[1])
        return &option;
    return nullptr;
  }

  Result<void> take_flag(const std::string& argument) {
    const bool is_long = argument.starts_with("--");
    const std::size_t equals = is_long ? argument.find('=') : std::string::npos;
    const std::string flag = argument.substr(0, equals);
    std::optional<std::string> value;
    if (equals != std::string::npos) value = argument.substr(equals + 1);

    for (const Elsewhere& other : grammar_.elsewhere)
      if (is_long && with_underscores(flag.substr(2)) == with_underscores(other.name))
        return mistake(flag + " is an option of `fetchmill " + std::string(other.command) + '`');
    const Option* option = find_option(flag);
    if (option && option->value.empty()) {
      if (value) return mistake(flag + " takes no value");
      line_.options.emplace_back(with_underscores(option->name), "true");
      return {};
    }
    if (!option && (grammar_.others == OtherFlags::refused || !is_long)) {
      if (grammar_.others != OtherFlags::settings) return mistake("unknown option " + flag);
      return take_word(argument);
    }
    const bool is_parameter = grammar_.others == OtherFlags::parameters;
    if (!option && (!is_parameter || is_setting(flag.substr(2)))) {
      line_.settings.push_back(argument);
      if (!value && has_value()) line_.settings.push_back(arguments_[next_++]);
      return {};
    }
    if (!value) {
      if (!has_value())
        return mistake(flag + " needs a value" +
                       (option ? ": " + flag + ' ' + std::string(option->value) : std::string()));
      value = arguments_[next_++];
    }
    line_.options.emplace_back(with_underscores(option ? option->name : flag.substr(2)), *value);
    return {};
  }

  bool has_value() const {
    return next_ < arguments_.size() && !arguments_[next_].starts_with("--");
  }

  const Grammar& grammar_;
  std::span<const std::string> arguments_;
  std::size_t next_ = 0;
  CommandLine line_;
};

}  // namespace

const std::string* CommandLine::find(std::string_view name) const {
  const auto found = std::find_if(options.rbegin(), options.rend(),
                                  [&](const Pair& option) { return option.first == name; });
  return found == options.rend() ? nullptr : &found->second;
}

Result<CommandLine> parse_command_line(const Grammar& grammar,
                                       std::span<const std::string> arguments) {
  return Parser(grammar, arguments).parse();
}

}  // namespace fetchmill::server::cli
