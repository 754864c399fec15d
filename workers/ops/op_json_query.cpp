// json.query: the values that a JSONPath query (RFC 9535) names, as they are written in the
// document.
#include "workers/json/json_text.hpp"
#include "workers/json/json_tree.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/json/jsonpath.hpp"
#include "workers/json/jsonpath_evaluator.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using json::JsonPathEvaluator;

class QueryStep final : public Step {
 public:
  explicit QueryStep(json::Query query) : query_(std::move(query)) {}

  Result<void> run(const Input& input, Output& output) override {
    const std::string_view text = json::without_bom(input.bytes);
    if (text.size() > json::json_tree_bytes_max)
      return Error(ErrorCode::processing_failed, "the document is larger than 512 MiB");
    if (!validator_.is_valid(text)) return json::not_json(text, simdjson::TAPE_ERROR);
    tree_.assign(text);
    auto done = write(evaluator_.evaluate(tree_, query_), output.bytes);
    tree_.release_if_large();
    return done;
  }

 private:
  Result<void> write(const JsonPathEvaluator::Nodes& nodes, std::string& out) const {
    if (evaluator_.why() == JsonPathEvaluator::Stop::too_many_nodes)
      return Error(ErrorCode::result_too_large, "the query names more than 10,000,000 values");
    if (evaluator_.why() == JsonPathEvaluator::Stop::too_many_steps)
      return Error(ErrorCode::processing_failed,
                   "the query takes too much work on this document: more than 100,000,000 steps");
    out += '[';
    for (const json::JsonTree::Index node : nodes) {
      if (out.size() > 1) out += ',';
      const std::string_view value = tree_.text(node);
      if (out.size() + value.size() > step_output_bytes_max)
        return Error(ErrorCode::result_too_large, "the values add up to more than 256 MiB");
      if (tree_[node].is_container())
        json::append_minified(out, value);
      else
        out += value;
    }
    out += ']';
    return {};
  }

  json::Query query_;
  json::JsonValidator validator_;
  json::JsonTree tree_;
  JsonPathEvaluator evaluator_;
};

constexpr ParamSpec params[] = {
    {.name = "query",
     .required = true,
     .fault = json::jsonpath_fault,
     .description =
         "A JSONPath query (RFC 9535), such as $.items[?@.price < 10].name; all of the standard, "
         "with its functions length, count, match, search and value."},
};
constexpr Example examples[] = {
    {.params = R"({"query":"$.items[?@.price < 10].name"})",
     .input = R"({"items":[{"name":"axle","price":8.50},{"name":"wheel","price":19}]})",
     .output = R"(["axle"])"},
    {.params = R"({"query":"$..id"})",
     .input = R"({"id":12345678901234567890123, "parts":[{"id":1.10}]})",
     .output = R"([12345678901234567890123,1.10])"},
};
constexpr std::string_view input_types[] = {"application/json"};

}  // namespace

extern const Op json_query_op;
const Op json_query_op{
    .name = "json.query",
    .summary =
        "The values that a JSONPath query (RFC 9535) names, exactly as written, in an array.",
    .limits =
        "The body may be nested 1,024 deep. A query that names more than 10,000,000 values, or "
        "values of more than 256 MiB together, "
        "ends in `result_too_large`; one that takes more than 100,000,000 steps on a document of "
        "up to 512 MiB in `processing_failed`. Filters nest up to 64 deep. Of members with the "
        "same name, a name selects the first. In patterns, RE2's limits hold: 1,000 repetitions, "
        "no \\p{Cn}.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      std::string fault;
      auto query = json::parse_jsonpath(given.get<std::string>("query"), fault);
      if (!query) return Error(ErrorCode::invalid_request, fault, "query");
      return std::make_unique<QueryStep>(std::move(*query));
    },
};

}  // namespace fetchmill::workers::ops
