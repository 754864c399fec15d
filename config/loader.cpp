#include "config/loader.hpp"

#include "config/ascii.hpp"
#include "config/suggest.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::config {
namespace {

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> words;
  if (ascii::trimmed(text, " ").empty()) return words;
  for (;;) {
    const std::size_t comma = text.find(',');
    words.emplace_back(ascii::trimmed(text.substr(0, comma), " "));
    if (comma == std::string_view::npos) return words;
    text.remove_prefix(comma + 1);
  }
}

// Whether one of two addresses to listen on takes the other's place; an empty one takes none, and
// port 0 is any that is free.
bool overlap(std::string_view one, std::string_view other) {
  const std::size_t one_colon = one.rfind(':');
  const std::size_t other_colon = other.rfind(':');
  if (other.empty() || one.substr(one_colon) != other.substr(other_colon) || one.ends_with(":0"))
    return false;
  const std::string_view hosts[] = {one.substr(0, one_colon), other.substr(0, other_colon)};
  if (hosts[0] == hosts[1]) return true;
  const bool same_family = hosts[0].starts_with('[') == hosts[1].starts_with('[');
  const auto is_any = [](std::string_view host) { return host == "0.0.0.0" || host == "[::]"; };
  return same_family && (is_any(hosts[0]) || is_any(hosts[1]));
}

const Section* find_section(std::string_view name, bool is_table) {
  for (const Section& section : section_table())
    if (section.name == name && section.is_table == is_table) return &section;
  return nullptr;
}

}  // namespace

void Loader::set_text(const SettingName& name, std::string_view text, const std::string& source) {
  std::vector<std::string> words = name.setting->kind == Kind::list
                                       ? split_at_commas(text)
                                       : std::vector<std::string>{std::string(text)};
  set_words(name, std::move(words), source);
}

void Loader::set_words(const SettingName& name, std::vector<std::string> words,
                       const std::string& source) {
  const Setting& setting = *name.setting;
  const std::size_t index =
      setting.in_table ? entry(*find_table(setting.section), name.entry_name, source) : 0;
  std::vector<std::string> bad;
  const std::optional<Value> value = parse_value(setting, std::move(words), bad);
  for (const std::string& word : bad)
    add_mistake(name.key(), setting.secret ? std::string_view() : word, source, expected(setting));
  if (!value) return;
  setting.set(settings_, index, *value);
  sources_[name.key()] = source;
}

std::size_t Loader::entry(const Section& table, std::string_view entry_name,
                          const std::string& source) {
  const std::vector<std::string> names = table.entry_names(settings_);
  const auto found = std::find(names.begin(), names.end(), entry_name);
  if (found == names.end()) {
    table.add_entry(settings_, entry_name);
    sources_[std::string(table.name) + '.' + std::string(entry_name)] = source;
  }
  return static_cast<std::size_t>(found - names.begin());
}

void Loader::add_mistake(std::string key, std::string_view value, std::string source,
                         std::string expected_text) {
  mistakes_.push_back(
      {std::move(key), std::string(value), std::move(source), std::move(expected_text), {}});
}

void Loader::add_unknown(std::string_view name, std::string source,
                         std::span<const std::string> known) {
  add_mistake(std::string(name), {}, std::move(source),
              "a known name" + did_you_mean(name, views(known)));
}

void Loader::check_relations() {
  const Settings& s = settings_;
  check_relation("batch.concurrency", s.batch.concurrency,
                 s.batch.concurrency <= s.batch.max_concurrency,
                 "at most batch.max_concurrency, " + std::to_string(s.batch.max_concurrency),
                 "batch.max_concurrency");
  const auto region_holds = [&](std::string_view key, std::uint64_t body_bytes_max) {
    check_relation("workers.region_mb", s.workers.region_mb,
                   s.workers.region_mb == 0 || s.workers.region_mb >= region_mb_min(body_bytes_max),
                   "0, or at least " + std::to_string(region_mb_min(body_bytes_max)) + " where " +
                       std::string(key) + " is " + amount(body_bytes_max, "bytes"),
                   key);
  };
  region_holds("fetch.max_bytes", s.fetch.max_bytes);
  region_holds("server.max_body_bytes", s.server.max_body_bytes);
  if (overlap(s.server.listen, s.server.admin_listen) && !is_mistaken("server.listen"))
    add_mistake("server.admin_listen", s.server.admin_listen, source_of("server.admin_listen"),
                "another port than that of server.listen, or another address");
  for (const Settings::Origin& origin : s.origins) check_origin(origin);
  for (const Settings::Credential& credential : s.credentials) check_credential(credential);
}

void Loader::check_origin(const Settings::Origin& origin) {
  const std::string entry = "origins." + origin.entry_name;
  if (origin.match.empty() && !is_mistaken(entry + ".match"))
    add_mistake(entry + ".match", {}, source_of(entry + ".match", entry),
                "at least one origin that the entry is for");
  const std::string certificate = entry + ".client_certificate_file";
  const std::string key = entry + ".client_key_file";
  if (origin.client_certificate_file.empty() == origin.client_key_file.empty() ||
      is_mistaken(certificate) || is_mistaken(key))
    return;
  const bool key_missing = origin.client_key_file.empty();
  add_mistake(key_missing ? key : certificate, {}, source_of(certificate, key),
              "both or none of client_certificate_file and client_key_file");
}

void Loader::check_credential(const Settings::Credential& credential) {
  const std::string entry = "credentials." + credential.entry_name;
  const auto needs = [&](bool holds, const std::string& key, std::string expected_text) {
    if (holds || is_mistaken(key)) return;
    add_mistake(key, {}, source_of(key, entry), std::move(expected_text));
  };
  needs(!credential.origins.empty(), entry + ".origins",
        "at least one origin that it may be sent to");
  const bool has_value = !credential.value.empty() || is_mistaken(entry + ".value");
  const bool has_file = !credential.value_file.empty() || is_mistaken(entry + ".value_file");
  needs(has_value || has_file, entry + ".value", "this or value_file");
  needs(!has_value || !has_file, entry + ".value_file", "only one of this and value");
}

std::vector<std::pair<std::string, std::string>> Loader::credential_files() const {
  std::vector<std::pair<std::string, std::string>> files;
  for (const Settings::Credential& credential : settings_.credentials)
    if (!credential.value_file.empty() && credential.value.empty())
      files.emplace_back(credential.entry_name, credential.value_file);
  return files;
}

void Loader::choose_ops(const ChooseOps& choose_ops) {
  for (const Error& error : choose_ops(settings_))
    add_mistake(error.field, {}, source_of(error.field), error.detail);
}

void Loader::load_modules(const LoadModules& load) {
  const std::string& directory = settings_.python.modules;
  constexpr std::string_view key = "python.modules";
  if (directory.empty() || is_mistaken(key)) return;
  for (std::string& report : load(directory)) {
    add_mistake(std::string(key), directory, source_of(key, key),
                "a directory of Python modules that can be imported");
    mistakes_.back().report = std::move(report);
  }
}

void Loader::check_pipelines(const CheckSteps& check_steps, const TrySteps& try_steps) {
  std::vector<Settings::Pipeline> well_formed;
  for (Settings::Pipeline& pipeline : settings_.named_pipelines)
    if (check_steps_of(pipeline, check_steps)) well_formed.push_back(pipeline);
  if (!try_steps || well_formed.empty()) return;
  for (const Error& error : try_steps(well_formed))
    add_mistake(error.field, {}, source_of(error.field.substr(0, error.field.find('['))),
                "a valid step: " + error.detail);
}

bool Loader::check_steps_of(Settings::Pipeline& pipeline, const CheckSteps& check_steps) {
  const std::string entry = "pipelines." + pipeline.entry_name;
  const std::string key = entry + ".steps";
  if (is_mistaken(key)) return false;
  if (pipeline.steps.empty()) {
    add_mistake(key, {}, source_of(key, entry), "at least one step");
    return false;
  }
  auto checked = check_steps(pipeline.steps);
  if (checked) {
    pipeline.steps = std::move(*checked);
    return true;
  }
  for (const Error& error : checked.error())
    add_mistake(entry + '.' + error.field, {}, source_of(key), "a valid step: " + error.detail);
  return false;
}

void Loader::try_files(const TryFiles& try_files) {
  for (const Error& error : try_files(settings_))
    add_mistake(error.field, {}, source_of(error.field),
                "a PEM file that can be used: " + error.detail);
}

std::string Loader::source_of(std::string_view key, std::string_view other_key) const {
  auto source = sources_.find(key);
  if (source == sources_.end()) source = sources_.find(other_key);
  return source == sources_.end() ? "default" : source->second;
}

void Loader::check_relation(std::string_view key, std::uint64_t value, bool holds,
                            std::string expected_text, std::string_view other_key) {
  if (holds || is_mistaken(key) || is_mistaken(other_key)) return;
  // One of the two was set by somebody, or the defaults would contradict each other.
  add_mistake(std::string(key), std::to_string(value), source_of(key, other_key),
              std::move(expected_text));
}

bool Loader::is_mistaken(std::string_view key) const {
  return std::any_of(mistakes_.begin(), mistakes_.end(),
                     [&](const Mistake& mistake) { return mistake.key == key; });
}

LoadResult Loader::result() && {
  if (!mistakes_.empty()) return std::move(mistakes_);
  return std::move(settings_);
}

SettingName find_setting(std::string_view key) {
  SettingName name;
  const std::size_t first = key.find('.');
  const std::size_t last = key.rfind('.');
  const bool has_entry = first != last;
  if (has_entry) name.entry_name = key.substr(first + 1, last - first - 1);
  if (has_entry && !is_entry_name(name.entry_name)) return {};
  for (const Setting& setting : setting_table()) {
    if (setting.in_table != has_entry || setting.key(name.entry_name) != key) continue;
    name.setting = &setting;
    return name;
  }
  return {};
}

const Section* find_section(std::string_view name) {
  return find_section(name, false);
}

const Section* find_table(std::string_view name) {
  return find_section(name, true);
}

std::vector<std::string> setting_keys() {
  std::vector<std::string> keys;
  for (const Setting& setting : setting_table()) keys.push_back(setting.key());
  return keys;
}

}  // namespace fetchmill::config
