# arignote_highway: Highway with the SIMD targets we compile for.
#
# The system's Highway if there is one, else a pinned release, linked statically. A shared system
# library is installed beside the Python module, so that a wheel needs none at run time.
find_package(hwy 1.0.3 CONFIG QUIET)

if(hwy_FOUND)
  get_target_property(highway_include hwy::hwy INTERFACE_INCLUDE_DIRECTORIES)
  set(highway_library hwy::hwy)
  set(highway_licenses /usr/share/doc/libhwy-dev/copyright /usr/share/common-licenses/Apache-2.0)
else()
  include(FetchContent)
  set(HWY_FORCE_STATIC_LIBS ON CACHE BOOL "" FORCE)
  foreach(part CONTRIB EXAMPLES INSTALL TESTS)
    set(HWY_ENABLE_${part} OFF CACHE BOOL "" FORCE)
  endforeach()
  FetchContent_Declare(
    highway
    URL https://github.com/google/highway/archive/refs/tags/1.2.0.tar.gz
    URL_HASH SHA256=7e0be78b8318e8bdbf6fa545d2ecb4c90f947df03f7aadc42c1967f019e63343
    DOWNLOAD_EXTRACT_TIMESTAMP ON
    SYSTEM
  )
  FetchContent_MakeAvailable(highway)
  set(highway_include ${highway_SOURCE_DIR})
  set(highway_library hwy)
  set(highway_licenses ${highway_SOURCE_DIR}/LICENSE)
endif()

# Every target that this Highway knows is disabled but these. The first three are baselines: which
# of them is compiled depends on Highway's version and the compiler.
set(kept_targets SCALAR EMU128 SSE2 SSE4 AVX2 AVX3 NEON NEON_WITHOUT_AES)
if(ARIGNOTE_SANITIZE)
  list(REMOVE_ITEM kept_targets SSE4) # it goes where the others go, and takes as long to compile
endif()
file(STRINGS ${highway_include}/hwy/detect_targets.h lines REGEX "^#define HWY_[A-Z0-9_]+ \\(1LL <<")
list(TRANSFORM lines REPLACE "^#define HWY_([A-Z0-9_]+) .*" "\\1" OUTPUT_VARIABLE disabled_targets)
if(NOT "AVX2" IN_LIST disabled_targets)
  message(FATAL_ERROR "No SIMD targets found in ${highway_include}/hwy/detect_targets.h")
endif()
list(REMOVE_ITEM disabled_targets ${kept_targets})
list(TRANSFORM disabled_targets PREPEND "HWY_")
list(JOIN disabled_targets "|" disabled_targets)

add_library(arignote_highway INTERFACE)
target_link_libraries(arignote_highway INTERFACE ${highway_library})
target_compile_definitions(arignote_highway INTERFACE "HWY_DISABLED_TARGETS=(${disabled_targets})")

get_target_property(highway_type ${highway_library} TYPE)
if(ARIGNOTE_PYTHON AND highway_type STREQUAL "SHARED_LIBRARY")
  install(
    FILES $<TARGET_FILE:${highway_library}>
    DESTINATION arignote
    RENAME $<TARGET_SONAME_FILE_NAME:${highway_library}>
  )
endif()
if(ARIGNOTE_PYTHON)
  install(FILES ${highway_licenses} DESTINATION arignote/licenses/highway OPTIONAL)
endif()
