# The module arignote._core.
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module NumPy)
if(NOT pybind11_DIR)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
    OUTPUT_VARIABLE pybind11_DIR
    OUTPUT_STRIP_TRAILING_WHITESPACE
  )
endif()
find_package(pybind11 2.13 CONFIG REQUIRED)

file(GLOB binding_sources CONFIGURE_DEPENDS bindings/*.cpp)
pybind11_add_module(_core MODULE NO_EXTRAS ${binding_sources})
target_link_libraries(_core PRIVATE arignote_core arignote_options Python::NumPy)
# Built against NumPy 2 headers, runs with 1.26 too.
target_compile_definitions(
  _core PRIVATE NPY_NO_DEPRECATED_API=NPY_1_25_API_VERSION NPY_TARGET_VERSION=NPY_1_25_API_VERSION
)
set_target_properties(_core PROPERTIES INSTALL_RPATH $ORIGIN)
install(TARGETS _core LIBRARY DESTINATION arignote)
