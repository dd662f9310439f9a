#include "kernels/block_table.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "kernels/target.hpp"

namespace arignote {
namespace {

auto key(const BlockOp& op) { return std::tie(op.name, op.in, op.out); }
auto key(const BlockReduction& reduction) {
  return std::tie(reduction.name, reduction.in, reduction.out);
}

template <class Entry>
void sort_by_key(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return key(a) < key(b); });
}

template <class Entry, class Key>
const Entry* find_by_key(std::span<const Entry> entries, const Key& wanted) {
  const auto found =
      std::lower_bound(entries.begin(), entries.end(), wanted,
                       [](const Entry& entry, const Key& k) { return key(entry) < k; });
  return found != entries.end() && key(*found) == wanted ? &*found : nullptr;
}

BlockTable make_table() {
  BlockTable table;
  append_arithmetic(table);
  append_logic(table);
  append_division(table);
  append_quotient(table);
  append_cast(table);
  append_floating(table);
  append_exponential(table);
  append_logarithmic(table);
  append_trigonometric(table);
  append_power(table);
  append_sum(table);
  append_product(table);
  append_extremum(table);
  sort_by_key(table.ops);
  for (auto& ops : table.product_ops) sort_by_key(ops);
  sort_by_key(table.reductions);
  sort_by_key(table.square_sums);
  return table;
}

const BlockTable& current_table() {
  static std::mutex mutex;
  static std::map<std::string, BlockTable> tables;
  const std::lock_guard lock(mutex);
  const std::string target = current_target();
  const auto found = tables.find(target);
  return found != tables.end() ? found->second : tables.emplace(target, make_table()).first->second;
}

}  // namespace

void BlockTable::add(std::string_view name, std::initializer_list<DType> in, DType out, BlockFn fn,
                     float cost) {
  BlockOp op{name, static_cast<int>(in.size()), {}, out, fn, cost};
  std::copy(in.begin(), in.end(), op.in.begin());
  ops.push_back(op);
}

void BlockTable::add_product(std::string_view name, std::size_t place, DType dtype, BlockFn fn,
                             float cost) {
  product_ops[place].push_back({name, 3, {dtype, dtype, dtype}, dtype, fn, cost});
}

void BlockTable::add(const BlockReduction& reduction) { reductions.push_back(reduction); }

void BlockTable::add_square_sum(const BlockReduction& reduction) {
  square_sums.push_back(reduction);
}

std::span<const BlockOp> elementwise_ops() { return current_table().ops; }

const BlockOp* find_block_op(std::string_view name, std::span<const DType> in, DType out) {
  std::array<DType, 3> padded{};
  if (in.size() > padded.size()) return nullptr;
  std::copy(in.begin(), in.end(), padded.begin());
  const BlockOp* op = find_by_key(elementwise_ops(), std::tie(name, padded, out));
  return op != nullptr && static_cast<std::size_t>(op->arity) == in.size() ? op : nullptr;
}

const BlockOp* find_product_op(std::string_view name, std::size_t place, DType dtype) {
  const std::span<const BlockOp> ops = current_table().product_ops[place];
  return find_by_key(ops, std::make_tuple(name, std::array{dtype, dtype, dtype}, dtype));
}

std::span<const BlockReduction> reductions() { return current_table().reductions; }

const BlockReduction* find_reduction(std::string_view name, DType in, DType out) {
  return find_by_key(reductions(), std::tie(name, in, out));
}

const BlockReduction* find_square_sum(DType dtype) {
  const std::span<const BlockReduction> sums = current_table().square_sums;
  return find_by_key(sums, std::make_tuple(std::string_view("sum"), dtype, dtype));
}

}  // namespace arignote
