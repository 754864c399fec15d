// Every op through Runner, as a worker runs it, beside the library alone on the same bytes.
//
// Usage: micro_ops [PART_OF_A_ROW_NAME]. Rounds are interleaved; medians are printed. To add an op:
// a row in rows(), with what one would write by hand where that says something.
#include "bench/records.hpp"
#include "workers/ops/pipeline.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <gumbo.h>
#include <iconv.h>
#include <libxml/parser.h>
#include <nettle/base64.h>
#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <re2/re2.h>
#include <simdjson.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>
#ifdef FETCHMILL_IMAGE_OPS
#include <vips/vips.h>
#endif

extern "C" {
#include <jq.h>
#include <jv.h>
}

namespace {

using namespace fetchmill;
using workers::ops::Input;
using workers::ops::Runner;

// What the library is given: the bytes with zeroed padding behind them. What it computes goes to
// `sink`, so that nothing is left out.
using Reference = std::function<void(std::string_view bytes)>;
volatile std::uint64_t sink = 0;

struct Row {
  std::string_view name;
  std::string_view pipeline;
  std::string input;
  std::string_view media_type = "application/json";
  Reference library = {};  // empty: there is none to compare with
};

std::string records(std::size_t bytes) {
  return bench::make_records(bytes).text;
}

// ---- The library alone.

void simdjson_dom(std::string_view bytes) {
  static simdjson::dom::parser parser;
  sink = parser.parse(bytes.data(), bytes.size(), false).error();
}

void simdjson_first_name(std::string_view bytes) {
  static simdjson::ondemand::parser parser;
  auto document = parser.iterate(simdjson::padded_string_view(
      bytes.data(), bytes.size(), bytes.size() + simdjson::SIMDJSON_PADDING));
  sink = document.at_pointer("/0/user/screen_name").get_string().value().size();
}

// Checks nothing.
void simdjson_minify(std::string_view bytes) {
  static std::vector<char> out(bytes.size() + simdjson::SIMDJSON_PADDING);
  std::size_t written = 0;
  sink = simdjson::minify(bytes.data(), bytes.size(), out.data(), written);
}

void libjq(std::string_view bytes) {
  static jq_state* const jq = [] {
    jq_state* made = jq_init();
    jq_compile(made, "map({id, name: .user.screen_name, score})");
    return made;
  }();
  jq_start(jq, jv_parse_sized(bytes.data(), static_cast<int>(bytes.size())), 0);
  for (jv value = jq_next(jq); jv_is_valid(value) != 0; value = jq_next(jq)) {
    const jv text = jv_dump_string(value, 0);
    sink = jv_string_length_bytes(text);
  }
}

void gumbo_tree(std::string_view bytes) {
  GumboOptions options = kGumboDefaultOptions;
  options.max_errors = 0;
  GumboOutput* page = gumbo_parse_with_options(&options, bytes.data(), bytes.size());
  sink = page->root->v.element.children.length;
  gumbo_destroy_output(&options, page);
}

template <class Context, std::size_t Size, auto Init, auto Update, auto Finish>
void nettle_digest(std::string_view bytes) {
  Context context;
  std::array<std::uint8_t, Size> digest;
  Init(&context);
  Update(&context, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  Finish(&context, digest.size(), digest.data());
  sink = digest[0];
}
constexpr auto nettle_sha256 =
    nettle_digest<sha256_ctx, SHA256_DIGEST_SIZE, sha256_init, sha256_update, sha256_digest>;
constexpr auto nettle_sha1 =
    nettle_digest<sha1_ctx, SHA1_DIGEST_SIZE, sha1_init, sha1_update, sha1_digest>;
constexpr auto nettle_md5 =
    nettle_digest<md5_ctx, MD5_DIGEST_SIZE, md5_init, md5_update, md5_digest>;

void zlib_crc32(std::string_view bytes) {
  sink = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
}

void xxhash_xxh3(std::string_view bytes) {
  sink = ::XXH3_64bits(bytes.data(), bytes.size());
}

// Splits at commas and line ends: no quotes, no JSON.
void split_csv(std::string_view bytes) {
  std::size_t field_bytes = 0;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find_first_of(",\n"), bytes.size());
    field_bytes += end;
    bytes.remove_prefix(std::min(bytes.size(), end + 1));
  }
  sink = field_bytes;
}

void re2_count(std::string_view bytes) {
  static const RE2 pattern("score|lang");
  re2::StringPiece rest(bytes.data(), bytes.size());
  std::uint64_t count = 0;
  while (RE2::FindAndConsume(&rest, pattern)) ++count;
  sink = count;
}

void re2_captures(std::string_view bytes) {
  static const RE2 pattern(R"-("lang":"(\w+)")-");
  re2::StringPiece rest(bytes.data(), bytes.size());
  re2::StringPiece lang;
  std::uint64_t captured_bytes = 0;
  while (RE2::FindAndConsume(&rest, pattern, &lang)) captured_bytes += lang.size();
  sink = captured_bytes;
}

void zlib_gzip(std::string_view bytes) {
  static std::vector<Bytef> out(::compressBound(bytes.size()));
  uLongf written = out.size();
  sink = ::compress2(out.data(), &written, reinterpret_cast<const Bytef*>(bytes.data()),
                     bytes.size(), 6);
}

void zlib_gunzip(std::string_view bytes) {
  static std::vector<Bytef> out(4'000'000);
  z_stream stream{};
  ::inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  sink = static_cast<std::uint64_t>(::inflate(&stream, Z_FINISH));
  ::inflateEnd(&stream);
}

void zstd_compress(std::string_view bytes) {
  static std::vector<char> out(::ZSTD_compressBound(bytes.size()));
  sink = ::ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3);
}

void zstd_decompress(std::string_view bytes) {
  static std::vector<char> out(4'000'000);
  sink = ::ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
}

void brotli_compress(std::string_view bytes) {
  static std::vector<std::uint8_t> out(::BrotliEncoderMaxCompressedSize(bytes.size()));
  std::size_t written = out.size();
  ::BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, bytes.size(),
                          reinterpret_cast<const std::uint8_t*>(bytes.data()), &written,
                          out.data());
  sink = written;
}

void brotli_decompress(std::string_view bytes) {
  static std::vector<std::uint8_t> out(4'000'000);
  std::size_t written = out.size();
  sink = ::BrotliDecoderDecompress(
      bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()), &written, out.data());
}

void nettle_base64(std::string_view bytes) {
  static std::vector<char> out(BASE64_ENCODE_RAW_LENGTH(bytes.size()));
  ::nettle_base64_encode_raw(out.data(), bytes.size(),
                             reinterpret_cast<const std::uint8_t*>(bytes.data()));
  sink = static_cast<unsigned char>(out[0]);
}

void nettle_base64_back(std::string_view bytes) {
  static std::vector<std::uint8_t> out(BASE64_DECODE_LENGTH(bytes.size()));
  base64_decode_ctx context;
  ::nettle_base64_decode_init(&context);
  std::size_t written = 0;
  ::nettle_base64_decode_update(&context, &written, out.data(), bytes.size(), bytes.data());
  sink = written;
}

void iconv_latin1(std::string_view bytes) {
  static const iconv_t converter = ::iconv_open("UTF-8", "WINDOWS-1252");
  static std::vector<char> out(3 * bytes.size());
  char* from = const_cast<char*>(bytes.data());
  char* to = out.data();
  std::size_t left = bytes.size();
  std::size_t room = out.size();
  ::iconv(converter, &from, &left, &to, &room);
  sink = room;
}

// Lines, and words of ASCII; characters are the bytes that begin one.
void count_by_hand(std::string_view bytes) {
  std::uint64_t lines = 0;
  std::uint64_t words = 0;
  std::uint64_t characters = 0;
  bool in_word = false;
  for (const char c : bytes) {
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    lines += c == '\n' ? 1 : 0;
    words += !is_space && !in_word ? 1 : 0;
    characters += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
    in_word = !is_space;
  }
  sink = lines + words + characters;
}

// What an op makes of the bytes.
std::string made_by(std::string_view pipeline, std::string bytes) {
  const std::size_t size = bytes.size();
  bytes.append(workers::ops::input_padding_bytes, '\0');
  Runner runner;
  const auto result = runner.run(pipeline, {.bytes = std::string_view(bytes).substr(0, size)});
  return result ? std::string(result->bytes) : std::string();
}

std::string csv_records(std::size_t bytes) {
  std::string text = "id,name,score,lang\n";
  for (unsigned id = 0; text.size() < bytes; ++id)
    text += std::to_string(id) + ",\"record " + std::to_string(id) + "\"," +
            std::to_string(id % 1000) + ".25,l" + std::to_string(id % 7) + "\n";
  return text;
}

void libxml2_dom(std::string_view bytes) {
  xmlDoc* document = xmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), nullptr, nullptr,
                                   XML_PARSE_NONET | XML_PARSE_COMPACT);
  sink = reinterpret_cast<std::uintptr_t>(document);
  xmlFreeDoc(document);
}

// An RSS feed, and a sitemap, of about so many bytes.
std::string rss(std::size_t bytes) {
  std::string text = "<rss version=\"2.0\"><channel><title>Mill</title>";
  while (text.size() < bytes)
    text += "<item><title>New wheel</title><link>https://mill.example/wheel?" +
            std::to_string(text.size()) +
            "</link><pubDate>Sat, 07 Sep 2002 09:00:01 +0200</pubDate><category>parts</category>"
            "<description>It &lt;b&gt;turns&lt;/b&gt;, and turns again.</description></item>";
  return text + "</channel></rss>";
}
std::string sitemap(std::size_t bytes) {
  std::string text = "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">";
  while (text.size() < bytes)
    text += "<url><loc>https://mill.example/" + std::to_string(text.size()) +
            "</loc><lastmod>2024-05-01</lastmod></url>";
  return text + "</urlset>";
}

// An article of about so many bytes, with what pages have around and within them.
std::string page(std::size_t bytes) {
  std::string text =
      "<!doctype html><html lang=en><head><meta charset=utf-8><title>The mill</title>"
      "<meta name=description content='All of its wheels'><link rel=canonical href=/mill>"
      "<meta property=og:image content=/wheel.jpg></head><body><nav><ul>";
  for (int i = 0; i < 40; ++i)
    text += "<li><a href=/part/" + std::to_string(i) + ">Part " + std::to_string(i) + "</a></li>";
  text += "</ul></nav><main><article><h1>The mill</h1>";
  for (unsigned i = 0; text.size() < bytes; ++i) {
    const std::string n = std::to_string(i);
    text +=
        "<h2 id=w" + n + ">Wheel " + n +
        "</h2><p class=lead>It <b>turns</b>, and turns &amp; turns again, as <a href=\"/wheel/" +
        n + "?a=1&amp;b=2\" rel=next>wheel " + n +
        "</a> did, with <em>less</em> noise than the one before.</p>"
        "<ul><li>Oak, <code>12 spokes</code></li><li>Iron</li></ul>"
        "<table><tr><th>Speed</th><td class=num>" +
        n + "</td></tr></table>";
  }
  return text + "</article></main><footer>Mill</footer></body></html>";
}

#ifdef FETCHMILL_IMAGE_OPS
// A picture that compresses as photographs do: noise, blurred.
std::string photograph(int width, int height) {
  VipsImage* noise = nullptr;
  VipsImage* grey = nullptr;
  void* jpeg = nullptr;
  std::size_t size = 0;
  if (VIPS_INIT("micro_ops") != 0 ||
      vips_gaussnoise(&noise, width, height, "mean", 128.0, "sigma", 60.0, nullptr) != 0 ||
      vips_gaussblur(noise, &grey, 2.0, nullptr) != 0 ||
      vips_jpegsave_buffer(grey, reinterpret_cast<void**>(&jpeg), &size, nullptr) != 0)
    return {};
  std::string bytes(static_cast<const char*>(jpeg), size);
  g_free(jpeg);
  g_object_unref(grey);
  g_object_unref(noise);
  return bytes;
}

void vips_thumbnail(std::string_view bytes) {
  VipsImage* small = nullptr;
  void* jpeg = nullptr;
  std::size_t size = 0;
  vips_thumbnail_buffer(const_cast<char*>(bytes.data()), bytes.size(), &small, 400, nullptr);
  vips_jpegsave_buffer(small, &jpeg, &size, "Q", 80, "optimize_coding", TRUE, "strip", TRUE,
                       nullptr);
  sink = size;
  g_free(jpeg);
  g_object_unref(small);
}

void vips_header(std::string_view bytes) {
  VipsImage* image = vips_image_new_from_buffer(bytes.data(), bytes.size(), "", nullptr);
  sink = static_cast<std::uint64_t>(image->Xsize);
  g_object_unref(image);
}

void add_image_rows(std::vector<Row>& rows) {
  const std::string picture = photograph(2000, 1500);
  rows.push_back({"image.info", R"([{"op":"image.info"}])", picture, "image/jpeg", vips_header});
  rows.push_back({"image.resize to 400", R"([{"op":"image.resize","width":400}])", picture,
                  "image/jpeg", vips_thumbnail});
}
#else
void add_image_rows(std::vector<Row>&) {}
#endif

std::vector<Row> rows() {
  std::vector<Row> rows{
      {"identity", R"([{"op":"identity"}])", records(1'000'000)},
      {"json.select, first item", R"([{"op":"json.select","pointer":"/0/user/screen_name"}])",
       records(1'000'000), "application/json", simdjson_first_name},
      {"json.validate", R"([{"op":"json.validate"}])", records(1'000'000), "application/json",
       simdjson_dom},
      {"json.aggregate", R"([{"op":"json.aggregate","value":"/score","group_by":"/lang"}])",
       records(1'000'000), "application/json", simdjson_dom},
      {"json.query", R"([{"op":"json.query","query":"$[*].user.screen_name"}])", records(1'000'000),
       "application/json", simdjson_dom},
      {"json.validate, schema",
       R"([{"op":"json.validate","schema":{"type":"array","items":{"required":["id","user"],"properties":{"score":{"type":"number"},"lang":{"enum":["en","ja","es","pt","ar","fr","ko","tr"]}}}}}])",
       records(1'000'000), "application/json", simdjson_dom},
      {"json.minify", R"([{"op":"json.minify"}])", records(1'000'000), "application/json",
       simdjson_minify},
      {"jq", R"-([{"op":"jq","program":"map({id, name: .user.screen_name, score})"}])-",
       records(1'000'000), "application/json", libjq},
      {"html.meta", R"([{"op":"html.meta"}])", page(1'000'000), "text/html", gumbo_tree},
      {"html.links", R"([{"op":"html.links","base_url":"https://mill.example/"}])", page(1'000'000),
       "text/html", gumbo_tree},
      {"html.text", R"([{"op":"html.text"}])", page(1'000'000), "text/html", gumbo_tree},
      {"html.markdown, main content", R"([{"op":"html.markdown","main_content":true}])",
       page(1'000'000), "text/html", gumbo_tree},
      {"html.select", R"([{"op":"html.select","selector":"article > p a[rel~=next]"}])",
       page(1'000'000), "text/html", gumbo_tree},
      {"csv.to_json", R"([{"op":"csv.to_json"}])", csv_records(1'000'000), "text/csv", split_csv},
      {"csv.aggregate", R"([{"op":"csv.aggregate","value":"score","group_by":"lang"}])",
       csv_records(1'000'000), "text/csv", split_csv},
      {"text.match, count", R"([{"op":"text.match","pattern":"score|lang","count":true}])",
       records(1'000'000), "text/plain", re2_count},
      {"text.stats", R"([{"op":"text.stats"}])", records(1'000'000), "text/plain", count_by_hand},
      {"text.decode latin1", R"([{"op":"text.decode","charset":"latin1"}])", records(1'000'000),
       "text/plain", iconv_latin1},
      {"hash sha256", R"([{"op":"hash"}])", records(1'000'000), "*/*", nettle_sha256},
      {"compress gzip", R"([{"op":"compress"}])", records(1'000'000), "*/*", zlib_gzip},
      {"compress zstd", R"([{"op":"compress","codec":"zstd"}])", records(1'000'000), "*/*",
       zstd_compress},
      {"compress br", R"([{"op":"compress","codec":"br"}])", records(1'000'000), "*/*",
       brotli_compress},
      {"decompress gzip", R"([{"op":"decompress"}])",
       made_by(R"([{"op":"compress"}])", records(1'000'000)), "*/*", zlib_gunzip},
      {"decompress br", R"([{"op":"decompress","codec":"br"}])",
       made_by(R"([{"op":"compress","codec":"br"}])", records(1'000'000)), "*/*",
       brotli_decompress},
      {"decompress zstd", R"([{"op":"decompress","codec":"zstd"}])",
       made_by(R"([{"op":"compress","codec":"zstd"}])", records(1'000'000)), "*/*",
       zstd_decompress},
      {"base64", R"([{"op":"base64"}])", records(1'000'000), "*/*", nettle_base64},
      {"base64 decode", R"([{"op":"base64","decode":true}])",
       made_by(R"([{"op":"base64"}])", records(1'000'000)), "*/*", nettle_base64_back},
      {"prometheus.format",
       R"([{"op":"prometheus.format","metrics":[{"name":"score","items":"","value":"/score","labels":{"id":"$key","lang":"/lang"}}]}])",
       records(1'000'000), "application/json", simdjson_dom},
      {"xml.select", R"([{"op":"xml.select","xpath":"//item/link"}])", rss(1'000'000), "text/xml",
       libxml2_dom},
      {"feed.items", R"([{"op":"feed.items"}])", rss(1'000'000), "text/xml", libxml2_dom},
      {"sitemap.urls", R"([{"op":"sitemap.urls"}])", sitemap(1'000'000), "text/xml", libxml2_dom},
      {"text.match, captures", R"-([{"op":"text.match","pattern":"\"lang\":\"(?P<lang>\\w+)\""}])-",
       records(1'000'000), "text/plain", re2_captures},
      {"hash sha1", R"([{"op":"hash","algorithm":"sha1"}])", records(1'000'000), "*/*",
       nettle_sha1},
      {"hash md5", R"([{"op":"hash","algorithm":"md5"}])", records(1'000'000), "*/*", nettle_md5},
      {"hash crc32", R"([{"op":"hash","algorithm":"crc32"}])", records(1'000'000), "*/*",
       zlib_crc32},
      {"hash xxh3", R"([{"op":"hash","algorithm":"xxh3"}])", records(1'000'000), "*/*",
       xxhash_xxh3},
      {"hash, all of them", R"([{"op":"hash","algorithm":["sha256","sha1","md5","crc32","xxh3"]}])",
       records(1'000'000), "*/*"},
      {"cpu.loop, a million", R"([{"op":"cpu.loop","iterations":1000000}])", "x", "*/*"},
  };
  add_image_rows(rows);
  return rows;
}

// ---- Measuring.

constexpr int rounds = 15;
constexpr double round_seconds = 0.02;

double seconds_of(const std::function<void()>& run, std::size_t repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < repeats; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::array<double, rounds> values) {
  std::sort(values.begin(), values.end());
  return values[rounds / 2];
}

// False when the op fails on the input.
bool measure(const Row& row) {
  std::string padded = row.input;
  padded.append(workers::ops::input_padding_bytes, '\0');
  const std::string_view bytes = std::string_view(padded).substr(0, row.input.size());
  const Input input{.bytes = bytes, .media_type = row.media_type};
  Runner runner;
  bool ok = true;
  const auto op = [&] { ok = runner.run(row.pipeline, input) && ok; };
  const auto library = [&] { row.library(bytes); };
  const double once = std::max(seconds_of(op, 1), 1e-7);
  const auto repeats = static_cast<std::size_t>(std::max(1.0, round_seconds / once));
  std::array<double, rounds> ours{};
  std::array<double, rounds> shares{};  // by round: a busy machine slows both
  for (int round = 0; round < rounds; ++round) {
    ours[round] = seconds_of(op, repeats) / static_cast<double>(repeats);
    if (row.library)
      shares[round] = seconds_of(library, repeats) / static_cast<double>(repeats) / ours[round];
  }
  const double took = median(ours);
  std::printf("%-32s %9zu bytes %9.3f GB/s %11.0f items/s", row.name.data(), bytes.size(),
              static_cast<double>(bytes.size()) / took / 1e9, 1 / took);
  if (row.library) std::printf("  %6.2f of the library alone", median(shares));
  std::puts(ok ? "" : "  FAILED");
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  bool ok = true;
  for (const Row& row : rows())
    if (row.name.find(wanted) != std::string_view::npos) ok = measure(row) && ok;
  return ok ? 0 : 1;
}
