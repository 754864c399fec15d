#include "handlers/task.hpp"

#include "config/ascii.hpp"
#include "config/json_string.hpp"
#include "handlers/image_format.hpp"
#include "handlers/named_pipelines.hpp"
#include "server/fetch/url_policy.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_tree.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/ops/registry.hpp"

#include <algorithm>
#include <array>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using simdjson::dom::element;
namespace fetch = server::fetch;
namespace ops = workers::ops;

struct FieldReader {
  element value;
  const std::string& field;  // the whole name, "tasks[3].url"
  const config::Settings& settings;
  TaskSpec& task;
};

using ReadField = Result<void> (*)(const FieldReader&);

template <auto Member>
Result<void> read_bounded(const FieldReader& in, std::uint64_t min, std::uint64_t max,
                          std::string_view max_setting = {}) {
  Result<std::uint64_t> number = read_integer(in.value, in.field, min, max, max_setting);
  if (!number) return number.error();
  in.task.*Member = *number;
  return {};
}

Result<void> read_method(const FieldReader& in) {
  Result<std::string> text = read_string(in.value, in.field, 32);
  if (!text) return text.error();
  Result<server::wire::Method> method = fetch::check_method(*text);
  if (!method) {
    Error error = method.error();
    error.field = in.field;
    return error;
  }
  in.task.method = *method;
  return {};
}

Result<void> read_headers(const FieldReader& in) {
  simdjson::dom::object object;
  if (in.value.get(object)) return wrong_type(in.field, "an object of strings");
  in.task.headers.clear();
  for (const auto& [name, value] : object) {
    const std::string field = join(in.field, name);
    Result<std::string> text = read_string(value, field, fetch::request_header_bytes_max);
    if (!text) return text.error();
    if (Result<void> checked = fetch::check_header(name, *text); !checked) {
      Error error = checked.error();
      error.field = field;
      return error;
    }
    in.task.headers.push_back({std::string(name), std::move(*text)});
  }
  if (Result<void> checked = fetch::check_headers(in.task.headers); !checked) {
    Error error = checked.error();
    error.field = in.field;
    return error;
  }
  return {};
}

Result<void> read_body(const FieldReader& in) {
  Result<std::string> text = read_string(in.value, in.field, SIZE_MAX);
  if (!text) return text.error();
  in.task.body = std::move(*text);
  return {};
}

Result<void> read_body_base64(const FieldReader& in) {
  Result<std::string> text = read_string(in.value, in.field, SIZE_MAX);
  if (!text) return text.error();
  std::optional<std::string> bytes = decode_base64(*text);
  if (!bytes) return wrong_type(in.field, "base64 (RFC 4648)");
  in.task.body = std::move(*bytes);
  return {};
}

// As parse_json has it: its text.
Result<void> read_json_body(const FieldReader& in) {
  Result<std::string> text = read_string(in.value, in.field, SIZE_MAX);
  if (!text) return text.error();
  in.task.body = std::move(*text);
  const bool typed = std::ranges::any_of(in.task.headers, [](const fetch::Header& header) {
    return server::wire::FieldId::content_type == boost::beast::http::string_to_field(header.name);
  });
  if (!typed) in.task.headers.push_back({"Content-Type", "application/json"});
  return {};
}

// As parse_json has it: its text.
Result<void> read_pipeline_field(const FieldReader& in) {
  const Result<std::string> text = read_string(in.value, in.field, SIZE_MAX);
  if (!text) return text.error();
  Result<std::string> pipeline = read_pipeline(*text, in.field, in.settings);
  if (!pipeline) return pipeline.error();
  in.task.pipeline = std::move(*pipeline);
  return {};
}

// As parse_json has it: its text.
Result<void> read_meta(const FieldReader& in) {
  Result<std::string> text = read_string(in.value, in.field, SIZE_MAX);
  if (!text) return text.error();
  if (text->size() > meta_bytes_max) return wrong_type(in.field, "at most 4096 bytes of JSON");
  in.task.meta = std::move(*text);
  return {};
}

Result<void> read_accept_status(const FieldReader& in) {
  simdjson::dom::array array;
  if (in.value.get(array))
    return wrong_type(in.field, "an array of status codes or classes (\"2xx\")");
  in.task.accept_status.clear();
  std::size_t index = 0;
  for (element item : array) {
    const std::string field = in.field + '[' + std::to_string(index++) + ']';
    std::string text;
    if (const std::optional<std::uint64_t> number = whole_number(item)) {
      text = std::to_string(*number);
    } else {
      Result<std::string> word = read_string(item, field, 8);
      if (!word) return word.error();
      text = *word;
    }
    Result<fetch::StatusRange> range = fetch::parse_status_range(text);
    if (!range) {
      Error error = range.error();
      error.field = field;
      return error;
    }
    in.task.accept_status.push_back(*range);
  }
  if (index == 0 || index > 32) return wrong_type(in.field, "1 to 32 status codes or classes");
  return {};
}

Result<void> read_url(const FieldReader& in) {
  Result<std::string> url = read_string(in.value, in.field, fetch::url_bytes_max);
  if (!url) return url.error();
  in.task.url = std::move(*url);
  in.task.is_template = false;
  return {};
}

template <auto Member, auto Read>
Result<void> read_value(const FieldReader& in) {
  auto value = Read(in.value, in.field);
  if (!value) return value.error();
  in.task.*Member = std::move(*value);
  return {};
}

Result<void> read_timeout_ms(const FieldReader& in) {
  return read_bounded<&TaskSpec::timeout_ms>(in, 1, 3'600'000);
}
Result<void> read_max_bytes(const FieldReader& in) {
  return read_bounded<&TaskSpec::max_bytes>(in, 1, in.settings.fetch.max_bytes, "fetch.max_bytes");
}
Result<void> read_max_result_bytes(const FieldReader& in) {
  return read_bounded<&TaskSpec::max_result_bytes>(in, 1, in.settings.workers.max_result_bytes,
                                                   "workers.max_result_bytes");
}
Result<void> read_max_redirects(const FieldReader& in) {
  return read_bounded<&TaskSpec::max_redirects>(in, 0, in.settings.fetch.max_redirects,
                                                "fetch.max_redirects");
}
Result<void> read_retries(const FieldReader& in) {
  return read_bounded<&TaskSpec::retries>(in, 0, in.settings.fetch.retries, "fetch.retries");
}

Result<void> read_credential(const FieldReader& in) {
  Result<std::string> name = read_string(in.value, in.field, 64);
  if (!name) return name.error();
  if (std::ranges::find(in.settings.credentials, *name,
                        &config::Settings::Credential::entry_name) == in.settings.credentials.end())
    return Error(ErrorCode::invalid_request, "there is no credential of this name", in.field);
  in.task.credential = std::move(*name);
  return {};
}

Result<void> read_debug(const FieldReader& in) {
  if (in.value.get(in.task.debug)) return wrong_type(in.field, "true or false");
  return {};
}

Result<void> read_cache(const FieldReader& in) {
  Result<std::string> text = read_string(in.value, in.field, 32);
  if (!text) return text.error();
  constexpr std::array modes{
      std::pair{std::string_view("default"), fetch::CacheMode::use_default},
      std::pair{std::string_view("bypass"), fetch::CacheMode::bypass},
      std::pair{std::string_view("only_if_cached"), fetch::CacheMode::only_if_cached},
      std::pair{std::string_view("refresh"), fetch::CacheMode::refresh},
  };
  const auto* const mode =
      std::ranges::find(modes, *text, [](const auto& row) { return row.first; });
  if (mode == modes.end())
    return wrong_type(in.field, "one of default, bypass, only_if_cached and refresh");
  in.task.cache = mode->second;
  return {};
}

struct TaskField {
  std::string_view name;
  ReadField read;
  bool in_query;  // also a query parameter of GET /v1/fetch, there as JSON
};

// The task's fields. `json` comes after `headers`, whose Content-Type it respects: fields are read
// in this order, not in that of the document.
constexpr std::array task_fields{
    TaskField{"url", read_url, false},
    TaskField{"method", read_method, false},
    TaskField{"headers", read_headers, false},
    TaskField{"body", read_body, false},
    TaskField{"body_base64", read_body_base64, false},
    TaskField{"json", read_json_body, false},
    TaskField{"pipeline", read_pipeline_field, false},
    TaskField{"id", read_value<&TaskSpec::id, read_id>, false},
    TaskField{"meta", read_meta, false},
    TaskField{"timeout_ms", read_timeout_ms, true},
    TaskField{"max_bytes", read_max_bytes, true},
    TaskField{"max_result_bytes", read_max_result_bytes, true},
    TaskField{"max_redirects", read_max_redirects, true},
    TaskField{"retries", read_retries, true},
    TaskField{"accept_status", read_accept_status, false},
    TaskField{"cache", read_cache, true},
    TaskField{"credential", read_credential, true},
    TaskField{"debug", read_debug, true},
    TaskField{"include_headers", read_value<&TaskSpec::include_headers, read_field_names>, false},
    TaskField{"if_none_match", read_value<&TaskSpec::if_none_match, read_entity_tags>, false},
    TaskField{"if_modified_since", read_value<&TaskSpec::if_modified_since, read_http_date>, false},
    TaskField{"unless_etag", read_value<&TaskSpec::unless_etag, read_entity_tags>, false},
    TaskField{"vars", read_value<&TaskSpec::vars, read_variables>, false},
};

// And behind them the one that only some places have.
constexpr auto task_names = [] {
  std::array<std::string_view, task_fields.size() + 1> names;
  std::ranges::transform(task_fields, names.begin(), &TaskField::name);
  names.back() = "envelope";
  return names;
}();

std::string_view hint_in_task(std::string_view name) {
  return name == "op" ? R"(ops stand in `pipeline`, as in [{"op":"hash"}])" : "";
}

Result<void> check_bodies(simdjson::dom::object object, const std::string& field) {
  int bodies = 0;
  for (std::string_view name : {"body", "body_base64", "json"})
    if (!object.at_key(name).error()) ++bodies;
  if (bodies > 1)
    return Error(ErrorCode::invalid_request, "give only one of body, body_base64 and json",
                 join(field, "body"));
  return {};
}

// A condition is one field of the request, and only these methods have answers that did not change.
Result<void> check_conditions(const TaskSpec& task, const std::string& field) {
  struct Condition {
    std::string_view name;
    std::string_view header;
    std::string_view value;
  };
  const std::array<Condition, 2> conditions{
      {{"if_none_match", "If-None-Match", task.if_none_match},
       {"if_modified_since", "If-Modified-Since", task.if_modified_since}}};
  const bool can_be_unchanged =
      task.method == server::wire::Method::get || task.method == server::wire::Method::head;
  for (const Condition& condition : conditions) {
    if (condition.value.empty()) continue;
    if (!can_be_unchanged)
      return Error(ErrorCode::invalid_request, "only GET and HEAD can be conditional",
                   join(field, condition.name));
    if (std::ranges::any_of(task.headers, [&](const fetch::Header& header) {
          return ascii::equals_ignoring_case(header.name, condition.header);
        }))
      return Error(ErrorCode::invalid_request,
                   "headers has " + std::string(condition.header) + " already",
                   join(field, condition.name));
  }
  return {};
}

}  // namespace

bool is_task_field(std::string_view name) {
  return std::ranges::find(task_fields, name, &TaskField::name) != task_fields.end();
}

Result<void> require_url(const TaskSpec& task, std::string field) {
  if (!task.url.empty()) return {};
  return Error(ErrorCode::invalid_request, "the field `url` is missing or empty", std::move(field));
}

void read_echoed(element object_or_other, const config::Settings& settings, TaskSpec& task) {
  simdjson::dom::object object;
  if (object_or_other.get(object)) return;
  for (const TaskField& row : task_fields) {
    if (row.name != "url" && row.name != "id" && row.name != "meta") continue;
    element value;
    if (!object.at_key(row.name).get(value))
      static_cast<void>(row.read({value, std::string(row.name), settings, task}));
  }
}

Result<void> set_default_url(std::string url, const std::string& field, TaskSpec& defaults) {
  const Result<bool> is_template = check_template(url);
  if (!is_template) {
    Error error = is_template.error();
    error.field = field;
    return error;
  }
  defaults.url = std::move(url);
  defaults.is_template = *is_template;
  return {};
}

Result<void> fill_url(TaskSpec& task) {
  if (!task.is_template) return {};
  Result<std::string> url = expand_template(task.url, task.vars, fetch::url_bytes_max);
  if (!url) return url.error();
  task.url = std::move(*url);
  task.is_template = false;
  return {};
}

std::string_view TaskSpec::first_op() const {
  constexpr std::string_view start = R"([{"op":")";
  const std::string_view steps = pipeline;
  if (!steps.starts_with(start)) return "none";
  const std::string_view rest = steps.substr(start.size());
  const ops::Op* op = ops::find_op(rest.substr(0, rest.find('"')));
  return op ? op->name : "none";
}

TaskSpec default_task(const config::Settings& settings) {
  TaskSpec task;
  task.timeout_ms = settings.fetch.timeout_ms;
  task.max_bytes = settings.fetch.max_bytes;
  task.max_result_bytes = settings.workers.max_result_bytes;
  task.max_redirects = settings.fetch.max_redirects;
  task.retries = settings.fetch.retries;
  return task;
}

Result<void> read_task(element object_or_other, const std::string& field,
                       const config::Settings& settings, TaskSpec& task, bool* envelope) {
  simdjson::dom::object object;
  if (object_or_other.get(object)) return wrong_type(field.empty() ? "" : field, "a task object");
  const std::span<const std::string_view> known(task_names);
  if (Result<void> checked =
          check_members(object, envelope == nullptr ? known.first(task_fields.size()) : known,
                        field, hint_in_task);
      !checked)
    return checked.error();
  if (Result<void> checked = check_bodies(object, field); !checked) return checked.error();
  for (const TaskField& row : task_fields) {
    element value;
    if (object.at_key(row.name).get(value)) continue;
    const std::string name = join(field, row.name);
    if (Result<void> read = row.read({value, name, settings, task}); !read) return read.error();
  }
  if (element value; envelope != nullptr && !object.at_key("envelope").get(value))
    if (value.get(*envelope)) return wrong_type(join(field, "envelope"), "true or false");
  if (envelope == nullptr || *envelope)
    if (auto checked = refuse_open_format(task.pipeline, join(field, "pipeline")); !checked)
      return checked.error();
  return check_conditions(task, field);
}

Result<void> refuse_unused_vars(element task, const std::string& field) {
  simdjson::dom::object members;
  if (task.get(members) || members.at_key("url").error() || members.at_key("vars").error())
    return {};
  return Error(ErrorCode::invalid_request,
               "they fill the url of a batch's defaults, and this task has a url of its own",
               join(field, "vars"));
}

Result<std::string> read_pipeline(std::string_view text, const std::string& field,
                                  const config::Settings& settings) {
  if (text.starts_with('"')) {
    const std::string_view raw = text.substr(1, text.size() - 2);
    return named_pipeline(workers::json::unescaped_string(raw), field, settings);
  }
  Result<std::string> pipeline = ops::check_pipeline(text, field);
  if (!pipeline || *pipeline == "[]") return pipeline;
  if (Result<void> allowed = allow_own_pipeline(field, settings); !allowed) return allowed.error();
  return pipeline;
}

Result<std::string> pipeline_from_query(const QueryPairs& query, const config::Settings& settings) {
  QueryPairs parameters;
  const std::string* op = nullptr;
  const std::string* pipeline = nullptr;
  for (const auto& pair : query) {
    const std::string*& target = pair.first == "op" ? op : pipeline;
    if (pair.first != "op" && pair.first != "pipeline") {
      parameters.push_back(pair);
      continue;
    }
    if (target) return Error(ErrorCode::invalid_request, "given more than once", pair.first);
    target = &pair.second;
  }
  if (op && pipeline)
    return Error(ErrorCode::invalid_request, "give either op or pipeline, not both", "pipeline");
  if (op) {
    if (Result<void> allowed = allow_own_pipeline("op", settings); !allowed) return allowed.error();
    return ops::pipeline_from_query(*op, parameters);
  }
  if (!parameters.empty()) return unknown_parameter(parameters.front().first);
  if (!pipeline) return std::string("[]");
  if (config::is_entry_name(*pipeline)) return named_pipeline(*pipeline, "pipeline", settings);
  if (const auto fault = workers::json::json_locate(*pipeline))
    return Error(ErrorCode::invalid_request, "the pipeline is " + describe(*fault), "pipeline");
  return read_pipeline(ascii::trimmed(*pipeline, " \t\r\n"), "pipeline", settings);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): its texts are moved from
Result<void> task_from_query(QueryPairs query, const config::Settings& settings, TaskSpec& task) {
  QueryPairs rest;
  for (auto& [name, value] : query) {
    if (name != "url") {
      rest.emplace_back(std::move(name), std::move(value));
    } else if (!task.url.empty()) {
      return Error(ErrorCode::invalid_request, "given more than once", name);
    } else {
      task.url = std::move(value);
    }
  }
  if (task.url.empty())
    return Error(ErrorCode::invalid_request, "the parameter `url` is missing or empty", "url");
  Result<void> read = defaults_from_query(rest, settings, task);
  if (!read) return may_belong_to_url(std::move(read).error());
  return {};
}

Result<void> defaults_from_query(const QueryPairs& query, const config::Settings& settings,
                                 TaskSpec& task) {
  QueryPairs rest;
  std::array<bool, task_fields.size()> given{};
  for (const auto& [name, value] : query) {
    const auto* row = std::ranges::find(task_fields, std::string_view(name), &TaskField::name);
    const bool is_of_task = row != task_fields.end() && row->in_query;
    if (is_of_task &&
        std::exchange(given[static_cast<std::size_t>(row - task_fields.begin())], true))
      return Error(ErrorCode::invalid_request, "given more than once", name);
    if (name == "accept_status") {
      Result<fetch::StatusRange> range = fetch::parse_status_range(value);
      if (!range) {
        Error error = range.error();
        error.field = name;
        return error;
      }
      task.accept_status.push_back(*range);
      continue;
    }
    if (!is_of_task) {
      rest.emplace_back(name, value);
      continue;
    }
    simdjson::dom::parser parser;
    element parsed;
    // What is no JSON is text.
    if (parser.parse(value).get(parsed)) {
      std::string quoted;
      config::append_json_string(quoted, value);
      if (parser.parse(quoted).get(parsed)) return wrong_type(name, "UTF-8");
    }
    if (Result<void> read = row->read({parsed, name, settings, task}); !read) return read.error();
  }
  if (rest.empty()) return {};  // a default task has no steps
  Result<std::string> pipeline = pipeline_from_query(rest, settings);
  if (!pipeline) return pipeline.error();
  task.pipeline = std::move(*pipeline);
  return {};
}

}  // namespace fetchmill::handlers
