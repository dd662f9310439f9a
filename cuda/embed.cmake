# Writes the headers that are compiled at run time, too, as text into a C++ source: see
# backend/embedded.hpp.
set(embedded_headers
    core/dtype.hpp
    core/half.hpp
    device/fault.cuh
    device/language.cuh
    device/library.cuh
    kernels/elementwise.cuh
    kernels/elementwise.hpp
    kernels/scalar_ops.cuh
)
set(embedded_entries "")
foreach(name ${embedded_headers})
  set(path ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  if(name MATCHES "^core/")
    cmake_path(SET path NORMALIZE ${CMAKE_CURRENT_SOURCE_DIR}/../cpp/${name})
  endif()
  file(READ ${path} text)
  string(APPEND embedded_entries "    {\"${name}\", R\"embedded(${text})embedded\"},\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
endforeach()
set(embedded_source ${CMAKE_CURRENT_BINARY_DIR}/embedded.cpp)
configure_file(backend/embedded.cpp.in ${embedded_source} @ONLY)
