// The interpreter: started once in a process, and inherited by those forked from it.
//
// Process: spawner, workers, and the one that describes; one thread calls it, which holds the
// interpreter's lock from start() on.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <string>
#include <utility>

#include <Python.h>

namespace fetchmill::workers::python {

// A reference that is given back.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  void reset() { Py_CLEAR(object_); }
  PyObject* release() { return std::exchange(object_, nullptr); }

 private:
  PyObject* object_ = nullptr;
};

// Of what a function of the C API made. Errors: std::bad_alloc for null, which then means that.
Ref made(PyObject* owned);

class Interpreter {
 public:
  // Starts it and imports the modules; `tell`: the descriptor to describe them to, or -1. What is
  // wrong, if it cannot even start; empty otherwise.
  static std::string start(const std::string& directory, int tell);
  static bool is_started();
  // To be called in a forked process before anything else. Does its work once.
  static void enter_worker();

  // The `process` of that module, borrowed; null: it is missing, and why_missing() says why.
  static PyObject* function(const std::string& name);
  static std::string why_missing(const std::string& name);
  // Takes the exception that is set: its traceback for people.
  static std::string take_exception();
  // A JSON text as bytes, or a string that says why it cannot be one.
  static Ref to_json(PyObject* value);
  static Ref from_json(const std::string& text);
};

extern const char* const runtime_source;

}  // namespace fetchmill::workers::python
