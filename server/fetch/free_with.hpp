// Owners of what C libraries allocate: std::unique_ptr<X509, FreeWith<X509_free>>.
#pragma once

namespace fetchmill::server::fetch {

template <auto free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};

}  // namespace fetchmill::server::fetch
