// What libraries load on first use, loaded before any worker is forked: workers have no files.
//
// Process: spawner; workers inherit it. Errors: none; what cannot be loaded is missing in workers
// too, and its user falls back.
#pragma once

namespace fetchmill::workers {

// Removes the environment, down to the bytes that a worker could find on its stack. Only TZ
// remains, and is set to the system's zone when it was not: without TZ, localtime() looks at the
// zone's file again at each call.
void empty_environment();

// The time zone, character sets, the C.UTF-8 locale, and what unwinding a thread takes.
// Requires: empty_environment() before it.
void preload_libraries();

}  // namespace fetchmill::workers
