#include "tests/unit/workers/op_fixture.hpp"
#include "workers/json/json_write.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>

#if defined(FETCHMILL_ADDRESS_SANITIZER)
#include <sanitizer/lsan_interface.h>
#endif

namespace fetchmill::workers::ops {
namespace {

std::string pipeline(std::string_view program) {
  std::string text = R"([{"op":"jq","program":)";
  json::append_json_string(text, program);
  return text + "}]";
}

std::string jq(std::string_view program, std::string_view body) {
  return run(pipeline(program), body);
}

struct Case {
  std::string_view program, body, result;
};
constexpr Case jq_rows[] = {
    {".", R"({"b":1,"a":[true,null,"é\n"]})", R"({"b":1,"a":[true,null,"é\n"]})"},
    {"", "[1]", "[1]"},
    {".a", R"({"a":[1,2]})", "[1,2]"},
    {".[]", "[1,2]", "[1,2]"},
    {".[]", "[1]", "1"},
    {"empty", "1", "[]"},
    {"def f: . + 1; f | f", "1", "3"},
    {"[.[] | select(test(\"^a\"))]", R"(["ab","ba"])", R"(["ab"])"},
    {"[limit(3; repeat(1))]", "null", "[1,1,1]"},
    {"[nan, infinite]", "null", "[null,1.7976931348623157e+308]"},
    {"$__loc__.line", "null", "1"},
    {"1, halt, 2", "null", "1"},
    {"0 | localtime | mktime", "null", "0"},
    // Beyond 2^53 jq computes with doubles.
    {".", "9007199254740993", "9007199254740992"},
    {".a", "\xEF\xBB\xBF{\"a\":1}", "1"},
};
TEST(Jq, Gives) {
  for (const Case& row : jq_rows) EXPECT_EQ(jq(row.program, row.body), row.result) << row.program;
}

constexpr Case line_rows[] = {
    {".a", "{\"a\":1}\n{\"a\":[2]}\n", "[1,[2]]"},
    {".[]", "\xEF\xBB\xBF[1,2]\r\n\n  \n[]\n[3]", "[1,2,3]"},
    {".", "1\n", "[1]"},
    {"empty", "1\n2", "[]"},
    {".", "", "[]"},
    {"if . == 2 then halt else . end", "1\n2\n3\n", "[1]"},
    {".a", "{}\n\n[]\n",
     "processing_failed pipeline[0]: line 3: Cannot index array with string \"a\""},
    {".", "1\n2 3\n",
     "processing_failed pipeline[0]: not JSON: expected the end after the value at line 2, column "
     "3 "
     "(byte 4)"},
    {".", "[1,\n2]\n", "processing_failed pipeline[0]: not JSON: expected a value"},
};
TEST(Jq, RunsOnEachLineOfNdjson) {
  Runner runner;
  for (const Case& row : line_rows)
    for (const std::string_view type :
         {"application/x-ndjson", "application/jsonl; charset=utf-8"}) {
      const std::string result = run_with(runner, pipeline(row.program), row.body, type).bytes;
      EXPECT_TRUE(result.starts_with(row.result)) << row.program << ": " << result;
    }
}

// What would look outside finds nothing there.
constexpr Case closed_rows[] = {
    {"$ENV, env", "null", "[{},{}]"},
    {"$ENV.FETCHMILL_SECRET", "null", "null"},
    {"input_filename, input_line_number", "null", "[null,0]"},
    {"[inputs]", "1", "[]"},
    {"[get_search_list, get_prog_origin, get_jq_origin]", "1", "[]"},
    {"$__prog_args", "1",
     "invalid_request pipeline[0].program: $__prog_args is not defined at <top-level>, line 1: "
     "$__prog_args"},
    {"def f: $ENV; def g: env; [f, g]", "1", "[{},{}]"},
    {"input", "1", "processing_failed pipeline[0]: No more inputs"},
    {R"("a" | modulemeta)", "1", "processing_failed pipeline[0]: modules cannot be loaded"},
    {"debug, stderr", "1", "[1,1]"},
    {R"(import "a" as a; .)", "1",
     "invalid_request pipeline[0].program: syntax error, unexpected import, expecting $end at "
     "<top-level>, line 1: import \"a\" as a; . (modules cannot be loaded)"},
    {R"(include "a" {search: "/etc"}; .)", "1",
     "invalid_request pipeline[0].program: syntax error, unexpected include, expecting $end at "
     "<top-level>, line 1: include \"a\" {search: \"/etc\"}; . (modules cannot be loaded)"},
};
TEST(Jq, ReachesNothingOutside) {
  ::setenv("FETCHMILL_SECRET", "seen", 1);
  for (const Case& row : closed_rows) EXPECT_EQ(jq(row.program, row.body), row.result);
}

constexpr Case error_rows[] = {
    {".a.b", R"({"a":1})", "processing_failed pipeline[0]: Cannot index number with string \"b\""},
    {"error(\"no\")", "1", "processing_failed pipeline[0]: no"},
    {"error({a:1})", "1", "processing_failed pipeline[0]: (not a string): {\"a\":1}"},
    {"1, error(\"late\")", "1", "processing_failed pipeline[0]: late"},
    {"\"bye\" | halt_error", "1", "processing_failed pipeline[0]: bye"},
    {".a |", "1",
     "invalid_request pipeline[0].program: syntax error, unexpected $end at <top-level>, line 1: "
     ".a |"},
    {".\n| foo | bar", "1",
     "invalid_request pipeline[0].program: foo/0 is not defined at <top-level>, line 2: | foo | "
     "bar; bar/0 is not defined at <top-level>, line 2: | foo | bar"},
    {"\xC3\xA9", "1", "invalid_request pipeline[0].program: syntax error, unexpected INVALID"},
    {".", "", "processing_failed pipeline[0]: not JSON: expected a value, not the end"},
    {".", "[1,", "processing_failed pipeline[0]: not JSON: expected a value, not the end"},
    {".", "nan", "processing_failed pipeline[0]: not JSON: expected true, false or null"},
    {".", "1 2", "processing_failed pipeline[0]: not JSON: expected the end after the value"},
    {".", "[\"\xff\"]", "processing_failed pipeline[0]: not JSON: not valid UTF-8"},
    {"reduce range(1100) as $i (0; [.])", "1",
     "processing_failed pipeline[0]: an output is nested deeper than 1023 levels"},
};
TEST(JqErrors, AreThoseOfJq) {
  for (const Case& row : error_rows) {
    const std::string result = jq(row.program, row.body);
    EXPECT_TRUE(result.starts_with(row.result)) << row.program << ": " << result.substr(0, 300);
  }
  const std::string deep = std::string(300, '[') + std::string(300, ']');
  EXPECT_TRUE(jq(".", deep).starts_with(
      "processing_failed pipeline[0]: Exceeds depth limit for parsing at line 1, column 257"))
      << jq(".", deep).substr(0, 300);
  Runner runner;
  EXPECT_EQ(run_with(runner, pipeline("."), "1\n" + deep, "application/x-ndjson").bytes,
            "processing_failed pipeline[0]: line 2: Exceeds depth limit for parsing");
  EXPECT_LT(jq("error", "\"" + std::string(100'000, 'x') + "\"").size(), 1100U);
}

TEST(Jq, OneBodyLeavesNothingForTheNext) {
  Runner runner;
  const std::string program = pipeline(".[] | if . == 2 then error(\"two\") else . end");
  EXPECT_EQ(run_with(runner, program, "[1,2,3]").bytes, "processing_failed pipeline[0]: two");
  EXPECT_EQ(run_with(runner, program, "[5]").bytes, "5");
  const std::string halts = pipeline("if . == 1 then \"bye\" | halt_error else . end");
  EXPECT_EQ(run_with(runner, halts, "1").bytes, "processing_failed pipeline[0]: bye");
  EXPECT_EQ(run_with(runner, halts, "2").bytes, "2");
}

// What libjq 1.6 does not survive or does not end; in a worker it costs that task.
constexpr std::string_view fatal_programs[] = {
    "try (.[999999999] = 0) catch .",
    "[(infinite, -infinite) % (1, -1, infinite)]",
    "del(.[nan])",
    "del(.[nan,nan])",
    ". * 1000000000",
    R"(try ["OK", strftime([])] catch ["KO", .])",
    R"(try ["OK", strflocaltime({})] catch ["KO", .])",
    R"(index(""))",
    "[range(3)] | .[nan:1]",
};

// One of jq's own files of cases: groups of a program, an input, and a line for each output;
// behind %%FAIL, a program that does not compile and what jq says of it.
struct CorpusCounts {
  std::size_t cases = 0, same = 0;
  std::size_t refusals = 0, refused = 0;
  std::size_t fatal = 0;
};
CorpusCounts count_cases(const std::string& text) {
  CorpusCounts counts;
  std::istringstream lines(text);
  std::vector<std::string> group;
  Runner printer;
  const auto check = [&] {
    if (group.size() >= 2 && group[0].starts_with("%%")) {
      ++counts.refusals;
      if (jq(group[1], "null").starts_with("invalid_request pipeline[0].program: "))
        ++counts.refused;
    } else if (group.size() >= 2 &&
               std::ranges::find(fatal_programs, group[0]) != std::end(fatal_programs)) {
      ++counts.fatal;
    } else if (group.size() >= 2) {
      std::string expected;
      for (std::size_t i = 2; i < group.size(); ++i) expected += (i > 2 ? "," : "") + group[i];
      if (group.size() != 3) expected = "[" + expected + "]";
      ++counts.cases;
      if (jq(group[0], group[1]) == run_with(printer, pipeline("."), expected).bytes) ++counts.same;
    }
    group.clear();
  };
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) continue;
    if (line.empty())
      check();
    else
      group.push_back(line);
  }
  check();
  return counts;
}

// Both files are of a newer jq than 1.6, which lacks some of its functions.
TEST(Jq, GivesWhatTheManualShows) {
  const auto folder = corpus("jq");
  if (!folder) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
  const CorpusCounts counts = count_cases(read_file(*folder / "man.test"));
  EXPECT_EQ(counts.cases, 231U);
  EXPECT_EQ(counts.same, 216U) << "the others need jq 1.7 or an environment";
}

TEST(Jq, GivesWhatItsOwnTestsExpect) {
  const auto folder = corpus("jq");
  if (!folder) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
#if defined(FETCHMILL_ADDRESS_SANITIZER)
  const __lsan::ScopedDisabler libjq_leaks;  // at some of its refusals
#endif
  const CorpusCounts counts = count_cases(read_file(*folder / "jq.test"));
  EXPECT_EQ(counts.cases, 522U);
  EXPECT_EQ(counts.same, 379U) << "the others need jq 1.7 or modules";
  EXPECT_EQ(counts.fatal, std::size(fatal_programs));
  EXPECT_EQ(counts.refusals, 19U);
  EXPECT_EQ(counts.refused, 19U);
}

}  // namespace
}  // namespace fetchmill::workers::ops
