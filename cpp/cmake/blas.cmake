# arignote_blas: what kernels/blas_*.cpp need.
#
# bundled: the library file of the PyPI package scipy-openblas32 is installed beside the Python
#          module under a name of our own and opened on first use, so it is never linked.
# system:  whatever find_package(BLAS) finds, with 32-bit integers and the CBLAS interface.
add_library(arignote_blas INTERFACE)

if(ARIGNOTE_BLAS STREQUAL "bundled")
  set(ARIGNOTE_UNUSED_BLAS_SOURCE ${CMAKE_CURRENT_SOURCE_DIR}/kernels/blas_system.cpp)
  find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/find_openblas.py
    OUTPUT_VARIABLE openblas
    OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE result
  )
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "scipy-openblas32 is missing: pip install it, or set ARIGNOTE_BLAS=system")
  endif()
  list(POP_FRONT openblas openblas_library openblas_license)
  message(STATUS "Bundling ${openblas_library}")

  set(bundled_name libarignote_openblas${CMAKE_SHARED_LIBRARY_SUFFIX})
  target_compile_definitions(arignote_blas INTERFACE ARIGNOTE_OPENBLAS="${bundled_name}")
  configure_file(${openblas_library} ${CMAKE_CURRENT_BINARY_DIR}/${bundled_name} COPYONLY)
  if(ARIGNOTE_PYTHON)
    install(FILES ${openblas_library} DESTINATION arignote RENAME ${bundled_name})
    install(FILES ${openblas_license} DESTINATION arignote/licenses/openblas)
  endif()
elseif(ARIGNOTE_BLAS STREQUAL "system")
  set(ARIGNOTE_UNUSED_BLAS_SOURCE ${CMAKE_CURRENT_SOURCE_DIR}/kernels/blas_bundled.cpp)
  find_package(BLAS REQUIRED)
  target_link_libraries(arignote_blas INTERFACE BLAS::BLAS)
else()
  message(FATAL_ERROR "ARIGNOTE_BLAS must be bundled or system: ${ARIGNOTE_BLAS}")
endif()
