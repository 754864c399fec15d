#include "workers/preload.hpp"

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include <execinfo.h>
#include <iconv.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

constexpr const char* system_zone = ":/etc/localtime";

// What documents come in. The conversions between UTF-8, UTF-16, UTF-32 and ASCII are built in.
constexpr const char* charsets[] = {
    "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",   "ISO-8859-6",
    "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",  "ISO-8859-13",  "ISO-8859-14",
    "ISO-8859-15",  "ISO-8859-16",  "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253",
    "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "WINDOWS-874",
    "KOI8-R",       "KOI8-U",       "SHIFT_JIS",    "CP932",        "EUC-JP",       "ISO-2022-JP",
    "GBK",          "GB18030",      "BIG5",         "BIG5-HKSCS",   "EUC-KR",       "CP949",
    "UTF-16",       "UTF-32",       "UTF-7",        "IBM866",       "MACINTOSH",    "MAC-UK"};

// glibc keeps a converter's code in memory as long as someone has it open: none of these is closed.
void load_charsets() {
  for (const char* name : charsets) static_cast<void>(::iconv_open("UTF-8", name));
}

}  // namespace

void empty_environment() {
  const char* given = std::getenv("TZ");
  const std::string zone = given != nullptr ? given : system_zone;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    ::explicit_bzero(*entry, std::strlen(*entry));
  ::clearenv();
  ::setenv("TZ", zone.c_str(), 1);
}

void preload_libraries() {
  ::tzset();
  load_charsets();
  // Looked up by its name later, it is found as loaded. Never freed, like the converters.
  static_cast<void>(::newlocale(LC_ALL_MASK, "C.UTF-8", nullptr));
  // Loads libgcc_s, which ending a thread needs.
  void* frame[1];
  ::backtrace(frame, 1);
}

}  // namespace fetchmill::workers
