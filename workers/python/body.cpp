#include "workers/python/body.hpp"

#include <new>

namespace fetchmill::workers::python {
namespace {

// What the views are of. Counts them, since it is not told who they are.
struct Source {
  PyObject_HEAD  //
      const char* bytes;
  Py_ssize_t size;
  Py_ssize_t views;
  bool closed;
};

Source* source_of(PyObject* object) {
  return reinterpret_cast<Source*>(object);
}

int get_buffer(PyObject* self, Py_buffer* buffer, int flags) {
  Source* source = source_of(self);
  if (source->closed) {
    PyErr_SetString(PyExc_ValueError, "the body is gone: process has returned");
    return -1;
  }
  constexpr int read_only = 1;
  // The API has no const; read_only keeps it.
  if (PyBuffer_FillInfo(buffer, self, const_cast<char*>(source->bytes), source->size, read_only,
                        flags) != 0)
    return -1;
  ++source->views;
  return 0;
}

void release_buffer(PyObject* self, Py_buffer*) {
  --source_of(self)->views;
}

PyTypeObject* source_type() {
  static PyType_Slot slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
      {0, nullptr},
  };
  static PyType_Spec spec{"fetchmill.Body", sizeof(Source), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  static PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) throw std::bad_alloc();
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

Body::Body(std::string_view bytes) : source_(made(source_type()->tp_alloc(source_type(), 0))) {
  Source* source = source_of(source_.get());
  // Where nothing is, there is no address either, which Python takes for an error.
  source->bytes = bytes.empty() ? "" : bytes.data();
  source->size = static_cast<Py_ssize_t>(bytes.size());
  view_ = made(PyMemoryView_FromObject(source_.get()));
}

bool Body::close() {
  if (!view_) return true;
  Source* source = source_of(source_.get());
  const Ref released(PyObject_CallMethod(view_.get(), "release", nullptr));
  if (!released) PyErr_Clear();
  view_.reset();
  source->closed = true;
  // In a cycle that nobody can reach any more, perhaps.
  if (source->views > 0) PyGC_Collect();
  return source->views == 0;
}

}  // namespace fetchmill::workers::python
