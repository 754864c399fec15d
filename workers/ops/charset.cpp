#include "workers/ops/charset.hpp"

#include "config/ascii.hpp"

#include <algorithm>

namespace fetchmill::workers::ops {
namespace {

using enum CharsetKind;

// https://encoding.spec.whatwg.org/#names-and-labels
constexpr Charset charsets[] = {
    {"UTF-8", utf8, nullptr,
     "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8"},
    {"windows-1252", windows_1252, nullptr,
     "windows-1252 iso-8859-1 latin1 us-ascii ascii ansi_x3.4-1968 cp1252 cp819 csisolatin1 ibm819 "
     "iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 x-cp1252"},
    {"IBM866", iconv, "IBM866", "866 cp866 csibm866 ibm866"},
    {"ISO-8859-2", iconv, "ISO-8859-2",
     "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2"},
    {"ISO-8859-3", iconv, "ISO-8859-3",
     "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3"},
    {"ISO-8859-4", iconv, "ISO-8859-4",
     "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4"},
    {"ISO-8859-5", iconv, "ISO-8859-5",
     "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 "
     "iso_8859-5:1988"},
    {"ISO-8859-6", iconv, "ISO-8859-6",
     "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e "
     "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987"},
    {"ISO-8859-7", iconv, "ISO-8859-7",
     "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 "
     "iso_8859-7 iso_8859-7:1987 sun_eu_greek"},
    {"ISO-8859-8", iconv, "ISO-8859-8",
     "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 "
     "iso_8859-8 iso_8859-8:1988 visual"},
    {"ISO-8859-8-I", iconv, "ISO-8859-8", "csiso88598i iso-8859-8-i logical"},
    {"ISO-8859-10", iconv, "ISO-8859-10",
     "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6"},
    {"ISO-8859-13", iconv, "ISO-8859-13", "iso-8859-13 iso8859-13 iso885913"},
    {"ISO-8859-14", iconv, "ISO-8859-14", "iso-8859-14 iso8859-14 iso885914"},
    {"ISO-8859-15", iconv, "ISO-8859-15",
     "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9"},
    {"ISO-8859-16", iconv, "ISO-8859-16", "iso-8859-16"},
    {"KOI8-R", iconv, "KOI8-R", "cskoi8r koi koi8 koi8-r koi8_r"},
    {"KOI8-U", iconv, "KOI8-U", "koi8-ru koi8-u"},
    {"macintosh", iconv, "MACINTOSH", "csmacintosh mac macintosh x-mac-roman"},
    {"windows-874", iconv, "WINDOWS-874",
     "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874"},
    {"windows-1250", iconv, "WINDOWS-1250", "cp1250 windows-1250 x-cp1250"},
    {"windows-1251", iconv, "WINDOWS-1251", "cp1251 windows-1251 x-cp1251"},
    {"windows-1253", iconv, "WINDOWS-1253", "cp1253 windows-1253 x-cp1253"},
    {"windows-1254", iconv, "WINDOWS-1254",
     "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 "
     "latin5 windows-1254 x-cp1254"},
    {"windows-1255", iconv, "WINDOWS-1255", "cp1255 windows-1255 x-cp1255"},
    {"windows-1256", iconv, "WINDOWS-1256", "cp1256 windows-1256 x-cp1256"},
    {"windows-1257", iconv, "WINDOWS-1257", "cp1257 windows-1257 x-cp1257"},
    {"windows-1258", iconv, "WINDOWS-1258", "cp1258 windows-1258 x-cp1258"},
    {"x-mac-cyrillic", iconv, "MAC-UK", "x-mac-cyrillic x-mac-ukrainian"},
    {"GBK", iconv, "GB18030",
     "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk"},
    {"gb18030", iconv, "GB18030", "gb18030"},
    {"Big5", iconv, "BIG5-HKSCS", "big5 big5-hkscs cn-big5 csbig5 x-x-big5"},
    {"EUC-JP", iconv, "EUC-JP", "cseucpkdfmtjapanese euc-jp x-euc-jp"},
    {"ISO-2022-JP", iconv, "ISO-2022-JP", "csiso2022jp iso-2022-jp"},
    {"Shift_JIS", iconv, "CP932",
     "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis"},
    {"EUC-KR", iconv, "CP949",
     "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 "
     "ksc_5601 windows-949"},
    {"UTF-16BE", iconv, "UTF-16BE", "unicodefffe utf-16be"},
    {"UTF-16LE", iconv, "UTF-16LE",
     "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le"},
    {"x-user-defined", user_defined, nullptr, "x-user-defined"},
    {"replacement", replacement, nullptr,
     "csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr replacement"},
};

bool has_label(const Charset& charset, std::string_view label) {
  std::string_view rest = charset.labels;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == label) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

}  // namespace

const Charset* find_charset(std::string_view label) {
  label = ascii::trimmed(label);
  if (label.empty() || label.find(' ') != std::string_view::npos) return nullptr;
  const std::string wanted = ascii::to_lower(label);
  const auto* found =
      std::ranges::find_if(charsets, [&](const Charset& c) { return has_label(c, wanted); });
  return found == std::end(charsets) ? nullptr : found;
}

const Charset& utf8_charset() {
  return charsets[0];
}

ByteOrderMark byte_order_mark(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) return {&utf8_charset(), 3};
  if (bytes.starts_with("\xff\xfe")) return {find_charset("utf-16le"), 2};
  if (bytes.starts_with("\xfe\xff")) return {find_charset("utf-16be"), 2};
  return {};
}

std::string_view charset_parameter(std::string_view media_type) {
  std::size_t at = media_type.find(';');
  while (at < media_type.size()) {
    const std::size_t start = at + 1;
    bool quoted = false;
    for (at = start; at < media_type.size() && (quoted || media_type[at] != ';'); ++at)
      if (media_type[at] == '"') quoted = !quoted;
    const std::string_view parameter = media_type.substr(start, at - start);
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = ascii::trimmed(parameter.substr(0, equals));
    if (!ascii::equals_ignoring_case(name, "charset")) continue;
    std::string_view value = ascii::trimmed(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = ascii::trimmed(value.substr(1, value.size() - 2));
    return value;
  }
  return {};
}

config::Result<void> decode_to_utf8(const Charset& charset, std::string_view bytes,
                                    std::string& out) {
  CharsetDecoder decoder(charset);
  if (auto done = decoder.feed(bytes, out); !done) return done;
  return decoder.finish(out);
}

}  // namespace fetchmill::workers::ops
