// html.text and html.markdown: a page for reading.
#include "workers/ops/html_base.hpp"
#include "workers/ops/html_text.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

class ReadStep final : public Step {
 public:
  ReadStep(bool as_markdown, const Params& params)
      : as_markdown_(as_markdown),
        main_content_(params.get<bool>("main_content")),
        base_url_(base_url_of(params)) {}

  Result<void> run(const Input& input, Output& output) override {
    if (auto done = page_.parse(input); !done) return done;
    const GumboNode& root = page_.root();
    const GumboNode& part = main_content_ ? ops::main_content(root) : root;
    bool fits = true;
    if (as_markdown_) {
      const std::string base = effective_base(root, base_url_, input.final_url);
      fits = write_markdown(part, {main_content_, base}, output.bytes);
    } else {
      append_inner_text(part, output.bytes, main_content_);
    }
    page_.clear();
    if (fits) return {};
    return Error(ErrorCode::result_too_large, "the Markdown is longer than 64 MiB");
  }

 private:
  bool as_markdown_;
  bool main_content_;
  std::string base_url_;
  HtmlDocument page_;
};

constexpr ParamSpec text_params[] = {main_content_param};
constexpr ParamSpec markdown_params[] = {main_content_param, base_url_param};
constexpr Example text_examples[] = {
    {.input = "<h1>Wheels</h1><p>Two  of\nthem,<br>both <b>round</b>.<script>x()</script>",
     .output = "Wheels\n\nTwo of them,\nboth round."},
    {.params = R"({"main_content":true})",
     .input = "<nav><a href=/>Home</a></nav><main><p>The story.</p></main><footer>2026</footer>",
     .output = "The story."},
};
constexpr Example markdown_examples[] = {
    {.params = R"({"base_url":"https://shop.example/list"})",
     .input = "<h1>Wheels</h1><ul><li><a href=/1>Front</a><li><em>Rear</em></ul>",
     .output = "# Wheels\n\n- [Front](https://shop.example/1)\n- *Rear*"},
};

}  // namespace

extern const Op html_text_op;
const Op html_text_op{
    .name = "html.text",
    .summary = "The text of a page as a browser shows it.",
    .limits = html_limits,
    .examples = text_examples,
    .params = text_params,
    .input = html_types,
    .output = "text/plain; charset=utf-8",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<ReadStep>(false, given);
    },
};

extern const Op html_markdown_op;
const Op html_markdown_op{
    .name = "html.markdown",
    .summary = "A page as Markdown: headings, lists, links, images, emphasis, code, tables.",
    .limits = html_limits,
    .examples = markdown_examples,
    .params = markdown_params,
    .input = html_types,
    .output = "text/markdown; charset=utf-8",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<ReadStep>(true, given);
    },
};

}  // namespace fetchmill::workers::ops
