# NVIDIA's compiler, for all devices that are supported.
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(
    FATAL_ERROR
      "ARIGNOTE_CUDA needs NVIDIA's compiler, nvcc, which is not found. Install the CUDA toolkit 12.8 "
      "or newer (https://developer.nvidia.com/cuda-downloads) and have nvcc on the PATH, or name it "
      "with -DCMAKE_CUDA_COMPILER=/path/to/nvcc."
  )
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100-real 120)
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
  message(
    FATAL_ERROR
      "ARIGNOTE_CUDA needs nvcc of CUDA 12.8 or newer: ${CMAKE_CUDA_COMPILER} is "
      "${CMAKE_CUDA_COMPILER_VERSION}."
  )
endif()
# CMake 3.25.1, of Debian 12, does not know that nvcc has it.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
find_package(CUDAToolkit REQUIRED)
