#include "server/cli/commands.hpp"

#include "server/cli/actions.hpp"

#include <algorithm>
#include <array>

namespace fetchmill::server::cli {
namespace {

// What becomes of a body.
constexpr std::array pipeline_options{
    Option{"op", 0, "NAME",
           "What to do with the body; `fetchmill ops` lists the ops. Its parameters are given as "
           "--NAME VALUE; one that is repeated is a list."},
    Option{
        "pipeline", 0, "NAME|FILE|JSON",
        "Several ops, one after the other: the name of a configured pipeline, a file (a path with "
        "a / in it or ending in .json), or the JSON itself, which begins with [."},
};

// What one request is: of `fetch`, and of every line of `batch`.
constexpr std::array request_options{
    Option{"method", 'X', "METHOD", "GET unless --data or --json is given, then POST."},
    Option{"header", 'H', "'NAME: VALUE'", "A request header; may be repeated."},
    Option{"data", 'd', "TEXT|@FILE",
           "The request's body: the text as it is, or the bytes of a file; @- is standard input."},
    Option{"json", 0, "JSON", "The request's body as JSON, with the Content-Type for it."},
    Option{"timeout-ms", 0, "N", "Time for the fetch, redirects and retries included."},
    Option{"max-bytes", 0, "N", "Largest body, decoded."},
    Option{"max-result-bytes", 0, "N", "Largest result."},
    Option{"max-redirects", 0, "N", "Redirects to follow."},
    Option{"retries", 0, "N", "How often to try again."},
    Option{"accept-status", 0, "2xx|N", "A status whose body is wanted; may be repeated."},
    Option{"cache", 0, "WORD", "default, bypass, only_if_cached or refresh."},
    Option{"include-headers", 0, "NAME",
           "A header field of the answer that the outcome repeats; may be repeated."},
    Option{"credential", 0, "NAME", "A configured credential to send, by its name."},
    Option{"debug", 0, "", "Tell how the fetch went: in the outcome, or with --include."},
};

// What is printed of one task.
constexpr std::array output_options{
    Option{"include", 'i', "", "Print status and header fields before the result."},
    Option{"envelope", 0, "",
           "Print the outcome as one line of JSON, as in a batch, instead of the result."},
};

template <std::size_t... counts>
constexpr auto all_of(const std::array<Option, counts>&... parts) {
  std::array<Option, (counts + ...)> options{};
  auto to = options.begin();
  ((to = std::ranges::copy(parts, to).out), ...);
  return options;
}

constexpr auto fetch_options = all_of(pipeline_options, request_options, output_options);

constexpr auto batch_options = all_of(
    pipeline_options, request_options,
    std::array{
        Option{"resume", 0, "OUT", "Append to the file OUT, and leave out what it has results of."},
        Option{"concurrency", 0, "N", "Tasks in progress at once."},
        Option{"order", 0, "WORD", "completed, or input for the order of the lines."},
        Option{"deadline-ms", 0, "N", "Time for all of it; what is left then fails."},
        Option{"on-error", 0, "WORD", "continue, or fail_fast to end with the first failure."},
    });

constexpr auto process_options =
    all_of(pipeline_options,
           std::array{Option{"content-type", 0, "TYPE",
                             "Media type and charset of the input, as the Content-Type of a body "
                             "says them."}},
           output_options);

constexpr std::array only_of_batch{Elsewhere{"resume", "batch"}};
constexpr std::array only_of_fetch{Elsewhere{"include", "fetch"}, Elsewhere{"envelope", "fetch"}};

constexpr std::array ops_options{
    Option{"json", 0, "", "As JSON, with a JSON Schema of each op's parameters."}};
constexpr std::array healthcheck_options{Option{"url", 0, "URL", "Ask this instead."}};

constexpr std::array serve_examples{
    Example{"On an address and port of its own, with a log for people",
            "fetchmill serve --server.listen 127.0.0.1:9000 --log.format text"},
    Example{"With a file of settings", "fetchmill serve --config fetchmill.toml"}};
constexpr std::array fetch_examples{
    Example{"The body as it is", "fetchmill fetch https://example.com/"},
    Example{"One field of a JSON document",
            "fetchmill fetch https://api.example/items --op json.select --pointer /0/name"},
    Example{"A parameter that is a list",
            "fetchmill fetch https://example.com/ --op hash --algorithm sha256 --algorithm md5"},
    Example{"A request with a body",
            "fetchmill fetch https://api.example/items --json '{\"name\": \"mill\"}'"},
    Example{"From this machine, which is refused by default",
            "fetchmill fetch http://127.0.0.1:8081/json --fetch.allow_networks 127.0.0.0/8"}};
constexpr std::array batch_examples{
    Example{"A hash of each page", "fetchmill batch --op hash urls.txt > hashes.ndjson"},
    Example{"From another program, gently",
            "grep -o 'https://[^ ]*' notes | fetchmill batch --concurrency 4 "
            "--fetch.rate_per_origin 2"},
    Example{"So that it can go on after an interruption",
            "fetchmill batch --pipeline ./steps.json --resume out.ndjson urls.txt"}};
constexpr std::array process_examples{
    Example{"The lines of a file, counted", "fetchmill process --op text.stats urls.txt"},
    Example{"A page in an encoding that it does not tell",
            "fetchmill process --op html.text --content-type 'text/html; charset=iso-8859-1' "
            "page.html"},
    Example{"A table without a head as JSON",
            "printf '1;2' | fetchmill process --op csv.to_json --delimiter ';' --header false"}};
constexpr std::array check_config_examples{
    Example{"Before a restart", "fetchmill check-config --config fetchmill.toml"}};
constexpr std::array print_config_examples{
    Example{"A file to start from", "fetchmill print-config > fetchmill.toml"}};
constexpr std::array completions_examples{
    Example{"In bash or zsh, for this session", "source <(fetchmill completions bash)"},
    Example{"In fish, for good",
            "fetchmill completions fish > ~/.config/fish/completions/fetchmill.fish"}};

constexpr std::string_view batch_description =
    "Lines come from FILE or standard input, as many as there are: a URL, or a task as a JSON "
    "object with the fields that POST /v1/fetch takes (its method is GET unless it or an option "
    "says otherwise, also where it has a body); blank lines and lines that begin with # are left "
    "out. Each task's outcome goes to standard output as one line of JSON. Options hold for every "
    "task that does not say otherwise.\n\n"
    "On a terminal, standard error shows how far it is; at the end it has one line that sums up. "
    "Ctrl-C starts nothing more, waits for what runs and sums up; a second one stops at once.\n\n"
    "With --resume OUT, the outcomes are appended to OUT, and tasks that have a result there are "
    "left out: the same call goes on after an interruption, and tries again what failed. The first "
    "line of OUT says what its results are of; a call with another op, pipeline, method or body is "
    "refused. A task is known by its `id`; a second one with it fails. Without one it is known by "
    "its URL and its place among the tasks, so lines may be added at the end. Where lines were "
    "moved or removed it is the URL alone: there, tasks with the same URL need an `id`.";

constexpr std::string_view process_description =
    "The input is FILE, or standard input where that is - or left out. It is POST /v1/process "
    "without a server: nothing is fetched, --op or --pipeline says what to do, and input larger "
    "than server.max_body_bytes is refused. The result goes to standard output, what went wrong to "
    "standard error. A terminal gets none that is not plain text.";

constexpr std::array<Command, 11> table{{
    {"serve",
     "serve [--config FILE] [--section.name VALUE...]",
     "Runs the server.",
     "SIGTERM or SIGINT finishes what runs; a second one stops at once.",
     {{}, OtherFlags::settings, 0, 0},
     serve_examples,
     serve},
    {"fetch",
     "fetch [OPTION...] URL",
     "Fetches one URL and processes its body, without a server.",
     "The result goes to standard output, what went wrong to standard error. A terminal gets none "
     "that is not plain text. It is the same engine as the server's: worker processes, address "
     "policy, limits, settings.",
     {fetch_options, OtherFlags::parameters, 1, 1, only_of_batch},
     fetch_examples,
     fetch},
    {"batch",
     "batch [OPTION...] [FILE|-]",
     "Fetches and processes many URLs, one per line, without a server.",
     batch_description,
     {batch_options, OtherFlags::parameters, 0, 1, only_of_fetch},
     batch_examples,
     batch},
    {"process",
     "process [OPTION...] [FILE|-]",
     "Processes a file or standard input, without a server.",
     process_description,
     {process_options, OtherFlags::parameters, 0, 1},
     process_examples,
     process},
    {"check-config",
     "check-config [--config FILE] [--section.name VALUE...]",
     "Checks the settings and names every mistake.",
     "",
     {{}, OtherFlags::settings, 0, 0},
     check_config_examples,
     check_config},
    {"print-config",
     "print-config [--config FILE] [--section.name VALUE...]",
     "Prints the settings that serve would use, as TOML.",
     "",
     {{}, OtherFlags::settings, 0, 0},
     print_config_examples,
     print_config},
    {"ops",
     "ops [--json] [--config FILE] [--section.name VALUE...]",
     "Lists what can be done to a fetched body.",
     "Only python.modules of the settings adds to the list.",
     {ops_options, OtherFlags::settings, 0, 0},
     {},
     ops},
    {"healthcheck",
     "healthcheck [--url URL | --section.name VALUE...]",
     "Asks a running server whether it is ready; exits with 0 when it is.",
     "It asks /readyz of the server that has these settings.",
     {healthcheck_options, OtherFlags::settings, 0, 0},
     {},
     run_healthcheck},
    {"completions",
     "completions bash|zsh|fish",
     "Prints a script with which a shell completes this command line.",
     "",
     {{}, OtherFlags::refused, 1, 1},
     completions_examples,
     print_completions},
    {"version",
     "version",
     "Prints version and revision.",
     "",
     {{}, OtherFlags::refused, 0, 0},
     {},
     version},
    {"help",
     "help [COMMAND]",
     "Explains a command.",
     "",
     {{}, OtherFlags::refused, 0, 1},
     {},
     help},
}};

}  // namespace

std::span<const Command> commands() {
  return table;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

}  // namespace fetchmill::server::cli
