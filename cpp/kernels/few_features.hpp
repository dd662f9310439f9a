// Products of NarrowProduct for rows so short that a vector holds the same feature of many rows.
#pragma once

#include "kernels/narrow_product.hpp"

namespace arignote {

inline constexpr std::int64_t kFewFeatures = 3;

// dtype is kFloat32 or kFloat64; rows have 1 to kFewFeatures features.
NarrowProduct few_features_product(DType dtype);

}  // namespace arignote
