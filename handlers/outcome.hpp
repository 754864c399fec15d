// How a task's end looks to the client: a line of a batch, an envelope, or the response of
// /v1/fetch. Pure.
#pragma once

#include "config/error.hpp"
#include "handlers/run_task.hpp"
#include "server/http/message.hpp"

#include <cstdint>
#include <string>

namespace fetchmill::handlers {

// Appends {"type":"result",…} or {"type":"unchanged",…} without a newline. Requires: the result was
// made with Encoding::line.
// `index` is left out when negative (an envelope).
void append_result(std::string& out, std::int64_t index, const TaskSpec& task,
                   const TaskReport& report, const TaskResult& result);
// Appends {"type":"error",…}.
void append_error(std::string& out, std::int64_t index, const TaskSpec& task,
                  const TaskReport& report, const config::Error& error);

// Server-Timing of what took place (W3C Server Timing).
void add_timing(std::string& headers, const TaskReport& report);
// The response of /v1/fetch and /v1/process: the result's bytes, with fields that keep fetched
// bytes from running on our origin, or 304 where they did not change, or the problem; with
// Fetchmill-Debug where it was asked for.
// The response borrows from the result and the report, which outlive it.
server::http::Response result_response(const config::Result<TaskResult>& result,
                                       const TaskReport& report, std::string_view request_id);

}  // namespace fetchmill::handlers
