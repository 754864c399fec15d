#include "workers/python/interpreter.hpp"

#include <cstdlib>
#include <new>

namespace fetchmill::workers::python {
namespace {

// runtime.py, run; never given back.
PyObject* runtime = nullptr;
PyObject* loads = nullptr;
bool in_worker = false;

// Libraries that would start threads when they are loaded, one per CPU.
void keep_libraries_to_one_thread() {
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"})
    ::setenv(name, "1", 1);
}

std::string initialize() {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.write_bytecode = 0;
  const PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status) == 0) return {};
  return std::string("Python cannot start: ") + (status.err_msg != nullptr ? status.err_msg : "");
}

PyObject* attribute(const char* name) {
  return PyDict_GetItemString(runtime, name);
}

// An item of one of the runtime's dicts by an op's name.
PyObject* entry(const char* dict, const std::string& name) {
  return runtime == nullptr ? nullptr : PyDict_GetItemString(attribute(dict), name.c_str());
}

std::string text_of(PyObject* object) {
  const char* text = object != nullptr ? PyUnicode_AsUTF8(object) : nullptr;
  if (text == nullptr) PyErr_Clear();
  return text != nullptr ? text : "";
}

bool run_runtime() {
  const Ref code(Py_CompileString(runtime_source, "<fetchmill>", Py_file_input));
  const Ref module(PyModule_New("fetchmill"));
  if (!code || !module) return false;
  runtime = PyModule_GetDict(module.get());
  Py_INCREF(runtime);
  return static_cast<bool>(Ref(PyEval_EvalCode(code.get(), runtime, runtime)));
}

}  // namespace

Ref made(PyObject* owned) {
  if (owned != nullptr) return Ref(owned);
  PyErr_Clear();
  throw std::bad_alloc();
}

std::string Interpreter::start(const std::string& directory, int tell) {
  keep_libraries_to_one_thread();
  if (std::string fault = initialize(); !fault.empty()) return fault;
  if (!run_runtime()) {
    PyErr_Clear();
    return "Python's standard library is not where it belongs";
  }
  const Ref json(PyImport_ImportModule("json"));
  if (json) loads = PyObject_GetAttrString(json.get(), "loads");
  const Ref imported(PyObject_CallFunction(attribute("import_all"), "si", directory.c_str(), tell));
  if (!imported) return take_exception();
  // What is there now stays: the collector would touch, and so copy, all of it in every worker.
  const Ref gc(PyImport_ImportModule("gc"));
  if (gc) {
    PyGC_Collect();
    Ref(PyObject_CallMethod(gc.get(), "freeze", nullptr));
  }
  PyErr_Clear();
  return {};
}

bool Interpreter::is_started() {
  return runtime != nullptr;
}

void Interpreter::enter_worker() {
  if (!is_started() || std::exchange(in_worker, true)) return;
  PyOS_AfterFork_Child();
  PyDict_SetItemString(runtime, "in_worker", Py_True);
}

PyObject* Interpreter::function(const std::string& name) {
  return entry("functions", name);
}

std::string Interpreter::why_missing(const std::string& name) {
  const std::string why = text_of(entry("failed", name));
  return !why.empty() ? why : name + ".py could not be imported again when workers were started";
}

std::string Interpreter::take_exception() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  if (value != nullptr && trace != nullptr) PyException_SetTraceback(value, trace);
  const Ref owned_type(type);
  const Ref owned_value(value);
  const Ref owned_trace(trace);
  const Ref report(PyObject_CallFunctionObjArgs(attribute("report"), value, nullptr));
  std::string text = text_of(report.get());
  PyErr_Clear();
  if (!text.empty()) return text;
  return type != nullptr ? reinterpret_cast<PyTypeObject*>(type)->tp_name : "an exception";
}

Ref Interpreter::to_json(PyObject* value) {
  return Ref(PyObject_CallFunctionObjArgs(attribute("to_json"), value, nullptr));
}

Ref Interpreter::from_json(const std::string& text) {
  return Ref(PyObject_CallFunction(loads, "s#", text.data(), static_cast<Py_ssize_t>(text.size())));
}

}  // namespace fetchmill::workers::python
