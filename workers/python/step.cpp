#include "workers/python/step.hpp"

#include "workers/python/body.hpp"
#include "workers/python/interpreter.hpp"

#include <algorithm>

namespace fetchmill::workers::python {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// A body that something still sees: from then on this process runs no Python any more.
bool body_was_kept = false;

struct ToPython {
  Ref operator()(const std::string& text) const {
    return Ref(PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
  }
  Ref operator()(std::int64_t number) const { return Ref(PyLong_FromLongLong(number)); }
  Ref operator()(double number) const { return Ref(PyFloat_FromDouble(number)); }
  Ref operator()(bool flag) const { return Ref(PyBool_FromLong(flag ? 1 : 0)); }
  Ref operator()(const ops::JsonText& value) const { return Interpreter::from_json(value.text); }
  Ref operator()(const ops::StringList& list) const {
    Ref items = made(PyList_New(0));
    for (const std::string& text : list)
      if (PyList_Append(items.get(), made((*this)(text).release()).get()) != 0) return {};
    return items;
  }
  Ref operator()(const ops::StringMap& map) const {
    Ref items = made(PyDict_New());
    for (const auto& [key, text] : map)
      if (PyDict_SetItem(items.get(), made((*this)(key).release()).get(),
                         made((*this)(text).release()).get()) != 0)
        return {};
    return items;
  }
};

bool contains(std::string_view whole, const char* start, std::size_t bytes) {
  const std::less_equal<const char*> at_most;
  return at_most(whole.data(), start) && at_most(start + bytes, whole.data() + whole.size());
}

class PythonStep final : public ops::Step {
 public:
  PythonStep(const PythonOp& op, const ops::Params& params) : op_(op), params_(params) {}

  Result<void> run(const ops::Input& input, ops::Output& output) override {
    if (body_was_kept)
      return failed("a step before it kept a view of its body; keep bytes(body) instead");
    PyObject* function = Interpreter::function(op_.module);
    if (function == nullptr) return failed(Interpreter::why_missing(op_.module));
    Body body(input.bytes);
    Result<void> done = call(function, body, input, output);
    body_was_kept = !body.close();
    return done;
  }

  bool wore_out_worker() const override { return body_was_kept; }

 private:
  static Error failed(std::string detail) {
    return Error(ErrorCode::processing_failed, std::move(detail));
  }

  // The parameters are made anew for each body: a function may change them.
  bool add_parameters(PyObject* named, PyObject* others) const {
    for (const auto& [name, value] : params_.all()) {
      const bool own = std::ranges::find(op_.rows, name, &ops::ParamSpec::name) != op_.rows.end();
      const Ref object = std::visit(ToPython{}, value);
      const Ref key = ToPython{}(name);
      if (!object || !key || PyDict_SetItem(own ? named : others, key.get(), object.get()) != 0)
        return false;
    }
    return true;
  }

  Result<void> call(PyObject* function, const Body& body, const ops::Input& input,
                    ops::Output& output) const {
    const Ref named = made(PyDict_New());
    const Ref others = made(PyDict_New());
    if (!add_parameters(named.get(), others.get())) return failed(Interpreter::take_exception());
    const Ref arguments = made(op_.takes_any ? PyTuple_Pack(2, body.view(), others.get())
                                             : PyTuple_Pack(1, body.view()));
    const Ref result(PyObject_Call(function, arguments.get(), named.get()));
    if (!result) return failed(Interpreter::take_exception());
    return take(result.get(), input, output);
  }

  static Result<void> take(PyObject* result, const ops::Input& input, ops::Output& output) {
    if (PyUnicode_Check(result)) return take_text(result, output);
    const bool is_bytes =
        PyBytes_Check(result) || PyByteArray_Check(result) || PyMemoryView_Check(result);
    if (is_bytes) return take_bytes(result, &input, "application/octet-stream", output);
    const Ref json = Interpreter::to_json(result);
    if (!json) return failed(Interpreter::take_exception());
    if (PyUnicode_Check(json.get())) return failed(PyUnicode_AsUTF8(json.get()));
    return take_bytes(json.get(), nullptr, "application/json", output);
  }

  static Result<void> take_text(PyObject* result, ops::Output& output) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(result, &size);
    if (text == nullptr) return failed(Interpreter::take_exception());
    return put({text, static_cast<std::size_t>(size)}, "text/plain; charset=utf-8", output);
  }

  // A part of the body is not copied.
  static Result<void> take_bytes(PyObject* result, const ops::Input* input, const char* media_type,
                                 ops::Output& output) {
    Py_buffer buffer;
    if (PyObject_GetBuffer(result, &buffer, PyBUF_SIMPLE) != 0)
      return failed(Interpreter::take_exception());
    const char* start = static_cast<const char*>(buffer.buf);
    const auto size = static_cast<std::size_t>(buffer.len);
    Result<void> done;
    if (input != nullptr && contains(input->bytes, start, size)) {
      output.media_type = media_type;
      output.use_input({start, size});
    } else {
      done = put({start, size}, media_type, output);
    }
    PyBuffer_Release(&buffer);
    return done;
  }

  static Result<void> put(std::string_view bytes, const char* media_type, ops::Output& output) {
    if (bytes.size() > ops::step_output_bytes_max)
      return Error(ErrorCode::result_too_large, "process returned " + std::to_string(bytes.size()) +
                                                    " bytes; a step may return " +
                                                    std::to_string(ops::step_output_bytes_max));
    output.bytes.assign(bytes);
    output.media_type = media_type;
    return {};
  }

  const PythonOp& op_;
  ops::Params params_;
};

}  // namespace

Result<std::unique_ptr<ops::Step>> compile(const ops::Op& self, const ops::Params& params) {
  Interpreter::enter_worker();
  return std::make_unique<PythonStep>(static_cast<const PythonOp&>(self), params);
}

}  // namespace fetchmill::workers::python
