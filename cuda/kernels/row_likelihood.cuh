// What softmax and the likelihood of a label come to for an element: see cpp/kernels/nnet.cpp.
#pragma once

#include <cmath>
#include <limits>

#include "device/language.cuh"

namespace arignote::device {

// Relative to 0 where there is nothing but -inf, which then adds nothing.
template <class T>
ARN_DEVICE T exponential(T x, double max) {
  const double reference = max == -std::numeric_limits<double>::infinity() ? 0.0 : max;
  return std::exp(x - static_cast<T>(reference));
}

template <class T>
ARN_DEVICE T log_share(T x, double max, double log_sum) {
  return static_cast<T>(static_cast<double>(x) - max - log_sum);
}

template <class T>
ARN_DEVICE T loss_of(T score, double max, double sum) {
  return static_cast<T>(std::log(sum) + (max - static_cast<double>(score)));
}

}  // namespace arignote::device
